from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from region_cases import BlockLift, ground_of, run_of, small_network, stated
from scipy import ndimage

from forecast.hindcast.observations import ObservationModels
from forecast.pretrained import model_folder
from forecast.region.change_allocation import allocated, event_levels, reallocated
from forecast.region.changes import Changes
from forecast.region.copies import NO_SOURCE
from forecast.region.ground import Ground
from forecast.region.local_calibration import teach
from forecast.region.member import MemberPaths, blocks_of
from forecast.region.objects import region_objects
from forecast.region.observation import observed, upsampled
from forecast.region.outlines import outlined, spread_out
from forecast.region.painting import paint, reach_of
from forecast.region.region_conditions import PastChange, region_conditions, region_tone
from forecast.region.tiled_inference import RegionNetwork
from forecast.region.windows import covering, cut, grown, in_pixels
from preprocessing.rasters.window import Window
from preprocessing.running.precision import native_bfloat16
from preprocessing.tiles.cells import cell_means

Make = Callable[..., Path]
_CLOSE = 4e-3 if native_bfloat16("cpu") else 2e-4
"""Of answers of the network that were computed in another order."""


@pytest.fixture
def ground(make_raster: Make, tmp_path: Path) -> Ground:
    return ground_of([make_raster("region_2020.tif")], tmp_path / "ground")


def fields(height: int = 256, width: int = 320) -> np.ndarray:
    """Four fields of plain colours with a little noise, `(3, height, width)`, 0..1."""
    image = np.random.default_rng(0).normal(0, 0.004, (3, height, width)).astype(np.float32)
    image += 0.3
    image[0, : height // 2] += 0.3
    image[1, :, : width // 2] += 0.3
    return image


def pixels(cells: np.ndarray) -> np.ndarray:
    return cells.repeat(4, axis=0).repeat(4, axis=1)


def told(ground: Ground, chance: float, conditions: np.ndarray | None = None) -> np.ndarray:
    """The probability where the network says the same everywhere."""
    every = np.full(ground.objects.shape, chance, np.float32)
    past = PastChange(ground.view.conditions if conditions is None else conditions, ground.seen)
    return reallocated(every, past, ground.gain, ground.seen) if chance else every


def test_objects_do_not_end_at_the_borders_of_blocks() -> None:
    image = fields()
    cells = cell_means(image)
    tone = region_tone(cells, np.ones(cells.shape[1:], bool))
    whole, cut, side_by_side = (
        region_objects(image, tone, block=size, threads=threads)
        for size, threads in ((128, 1), (24, 1), (24, 3))
    )
    assert len(np.unique(whole)) == 4
    # Each object is named by its first cell.
    assert set(np.unique(whole)) == {0, 40, 32 * 80, 32 * 80 + 40}
    np.testing.assert_array_equal(cut, whole)
    np.testing.assert_array_equal(side_by_side, whole)


def test_a_hedge_is_no_object_of_its_own() -> None:
    """It belongs to the fields beside it, so it does not change as a ring around one of them."""
    image = fields()
    image[:, 78:82, :140] = 0.02
    cells = cell_means(image)
    tone = region_tone(cells, np.ones(cells.shape[1:], bool))
    objects = region_objects(image, tone)
    _, sizes = np.unique(objects, return_counts=True)
    assert sizes.min() >= 9
    assert set(np.unique(objects[18:22, :34])) <= set(np.unique(objects[[10, 26], :34]))


def test_outlines_follow_the_edges_of_the_picture() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., 30:] = 4.0  # an edge in the middle of a cell
    changed = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    changed[..., 8:] = True
    pixels = outlined(changed, picture)[0, 0]
    assert pixels[20, 31:].all()
    assert not pixels[20, :29].any()
    plain = outlined(changed, torch.zeros_like(picture))[0, 0]
    assert (plain[:, 36:] == 1).all()
    assert ((plain[:, 32] > 0.5) & (plain[:, 32] < 1)).all()
    assert not plain[:, :32].any()


def test_arms_of_one_cell_are_cut_off() -> None:
    changed = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    changed[..., 4:10, 4:10] = True
    changed[..., 6, 10:] = True
    pixels = outlined(changed, torch.zeros(1, 3, 80, 80))[0, 0]
    assert pixels[20:36, 20:36].all()
    assert not pixels[:, 44:].any()


def test_more_changed_cells_never_take_pixels_back_and_reach_one_cell() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 3, 80, 96, generator=generator)
    order = torch.rand(1, 1, 20, 24, generator=generator)
    few, many = order < 0.2, order < 0.4
    before, after = outlined(few, picture), outlined(many, picture)
    assert (after >= before).all()
    assert ((after == 0) | ((after > 0.5) & (after <= 1))).all()
    near = pixels(ndimage.binary_dilation(many[0, 0].numpy(), np.ones((3, 3))))
    assert not after[0, 0].numpy()[~near].any()


def test_colours_spread_out_by_means_of_neighbours() -> None:
    values, known = torch.zeros(1, 1, 5, 7), torch.zeros(1, 1, 5, 7, dtype=torch.bool)
    values[0, 0, 2, 3], known[0, 0, 2, 3] = 0.5, True
    spread, wide = spread_out(values, known, 2)
    assert wide[0, 0].sum() == 25
    torch.testing.assert_close(spread[wide], torch.full((25,), 0.5))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_ground_that_does_not_change_keeps_its_stored_values(
    make_raster: Make, tmp_path: Path, dtype: str
) -> None:
    valid = np.ones((150, 170), bool)
    valid[30:50, 40:80] = False
    tags = {"VALUE_RANGE": "0,255"}
    path = make_raster(
        dtype=dtype, nodata=21, valid=valid, tags=tags, scale=1.0 + (dtype[0] == "f") / 7
    )
    ground = ground_of([path], tmp_path / "ground")
    network = stated(ground, lambda years: 0.1 * years)
    run_of(ground, tmp_path / "m", network).years(2)
    state = MemberPaths(tmp_path / "m", 0).open_state(ground, 2022)[...]
    changes = MemberPaths(tmp_path / "m", 0).open_changes(ground, 2022).whole()
    moved = (state != ground.stored) & ~(np.isnan(state) & np.isnan(ground.stored))
    near = pixels(ndimage.binary_dilation(changes.changed, np.ones((3, 3))))[:150, :170]
    assert state.dtype == np.dtype(dtype)
    assert not moved[:, ~near].any()
    inside = torch.nn.functional.max_pool2d(
        1 - torch.from_numpy(changes.changed)[None].float(), 3, 1, 1
    )
    inside = inside[0].repeat_interleave(4, -1).repeat_interleave(4, -2)[:150, :170].numpy() == 0
    assert inside.any()
    assert moved[:, inside].mean() > 0.9  # but for values that were bright already


def test_as_much_changes_as_is_expected_and_where_it_is_likely(ground: Ground) -> None:
    height, width = ground.objects.shape
    probability = np.linspace(0, 0.3, width, dtype=np.float32)[None].repeat(height, axis=0)
    seen = np.asarray(ground.seen)
    none, parcels = np.zeros(seen.shape, bool), np.full(seen.shape, -1)
    members = [
        allocated(probability, event_levels(ground.objects, seed=0, member=m), parcels, none, seen)
        for m in range(200)
    ]
    wanted = round(float(probability[seen].sum()))
    assert {int(member[seen].sum()) for member in members} == {wanted}
    share = np.mean(members, axis=0)
    assert share[:, : width // 3].mean() == pytest.approx(0.05, abs=0.02)
    assert share[:, width // 3 : 2 * width // 3].mean() == pytest.approx(0.15, abs=0.02)


def test_what_had_changed_counts_among_what_is_expected(ground: Ground) -> None:
    seen = np.asarray(ground.seen)
    levels, parcels = event_levels(ground.objects, seed=0, member=0), np.full(seen.shape, -1)

    def changed(share: float, before: np.ndarray) -> np.ndarray:
        probability = np.full(seen.shape, share, np.float32)
        return allocated(probability, levels, parcels, before, seen)

    first = changed(0.1, np.zeros_like(seen))
    np.testing.assert_array_equal(changed(0.05, first), first)
    more = changed(0.2, first)
    assert more[first].all()
    assert more[seen].sum() == round(0.2 * seen.sum())


def test_what_has_changed_stays_as_it_is(ground: Ground, tmp_path: Path) -> None:
    # The network takes back in the second year what it said in the first.
    network = stated(ground, lambda years: {1: 0.2, 2: 0.1, 3: 0.4}[int(years)])
    run_of(ground, tmp_path / "m", network).years(3)
    paths = MemberPaths(tmp_path / "m", 0)
    states = [paths.open_state(ground, y)[...] for y in (2021, 2022, 2023)]
    found = [paths.open_changes(ground, y).whole() for y in (2021, 2022, 2023)]
    np.testing.assert_array_equal(states[0], states[1])
    assert not (found[1].changed & ~found[2].changed).any()
    assert found[2].changed.sum() > found[1].changed.sum()
    # What is wholly new stays; pixels of the outline may become so, and do not go back.
    picture = ground.view.tone.units(torch.from_numpy(ground.view.image[...])[None])
    height, width = states[0].shape[1:]
    first, last = (
        outlined(torch.from_numpy(np.array(f.changed))[None, None], picture)[0, 0].numpy()
        for f in (found[0], found[2])
    )
    stays = (first == last)[:height, :width]
    assert (stays & (first == 1)[:height, :width]).sum() > 100
    np.testing.assert_array_equal(states[2][:, stays], states[0][:, stays])
    np.testing.assert_allclose(found[1].probability(), told(ground, 0.2), atol=1e-6)
    np.testing.assert_allclose(found[2].probability(), told(ground, 0.4), atol=1e-6)


def test_probabilities_accumulate_beyond_the_longest_horizon(
    ground: Ground, tmp_path: Path
) -> None:
    network = stated(ground, lambda years: 0.1 * years)
    assert network.longest_years == 3
    run_of(ground, tmp_path / "m", network).years(5)
    paths = MemberPaths(tmp_path / "m", 0)
    three = told(ground, 0.3)
    # The start is history of the second leg, by which the rules tell where, and not how much.
    conditions = np.empty_like(ground.view.conditions)
    colours = paths.open_changes(ground, 2023).whole().colours
    earlier = ground.earlier.after(ground.cells, 3)
    region_conditions(colours, earlier, ground.view.tone, conditions)
    further = (told(ground, chance, conditions) for chance in (0.0, 0.1, 0.2))
    for year, leg in zip((2023, 2024, 2025), further, strict=True):
        found = paths.open_changes(ground, year).whole().probability()
        np.testing.assert_allclose(found, 1 - (1 - three) * (1 - leg), atol=1e-6)
    assert not list((tmp_path / "m").glob("leg_*"))


def test_a_further_leg_sees_the_state_and_the_start_as_history(
    ground: Ground, tmp_path: Path
) -> None:
    run = run_of(ground, tmp_path / "m", stated(ground, lambda years: 0.1 * years))
    run.years(3)
    view = run._view(3)
    state = MemberPaths(tmp_path / "m", 0).open_state(ground, 2023)[...].astype(np.float32) / 255
    np.testing.assert_allclose(view.image[:, :150, :170], state, atol=1e-6)
    changed = MemberPaths(tmp_path / "m", 0).open_changes(ground, 2023).whole().changed
    some = np.abs(view.conditions[:3].astype(np.float32)).max(axis=0)
    assert (some[changed] > 0.1).mean() > 0.8
    np.testing.assert_allclose(some[~changed], 0, atol=0.02)


def test_a_member_that_was_killed_goes_on_to_the_same_pixels(
    ground: Ground, tmp_path: Path
) -> None:
    height, width = ground.objects.shape
    network = RegionNetwork(small_network(), height=height, width=width)
    models = ObservationModels.load(model_folder())
    ground = teach(
        ground, ground.folder, network, models, pytest.fail, seed=1, years=5, calibrate=False
    )
    blocks = len(blocks_of(height, width))
    run_of(ground, tmp_path / "whole", network).years(5)

    class KilledError(Exception):
        pass

    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 4 * blocks:
            raise KilledError

    with pytest.raises(KilledError):
        run_of(ground, tmp_path / "parts", network, tick=tick).years(5)
    whole, parts = MemberPaths(tmp_path / "whole", 0), MemberPaths(tmp_path / "parts", 0)
    assert parts.state(2021).exists()
    assert not parts.state(2025).exists()
    run_of(ground, tmp_path / "parts", network).years(5)
    for year in range(2021, 2026):
        states = [paths.open_state(ground, year)[...] for paths in (parts, whole)]
        np.testing.assert_array_equal(*states)
        np.testing.assert_array_equal(np.load(parts.seen(year)), np.load(whole.seen(year)))
    assert (whole.open_state(ground, 2025)[...] != ground.stored).any()


def test_boxes_cover_every_cell_once_and_never_cost_more_than_one() -> None:
    generator = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.1, 0.6):
        cells = generator.random((40, 64)) < share
        boxes = covering(cells, 10)
        count = np.zeros(cells.shape, int)
        for box in boxes:
            count[box.slices] += 1
        assert (count[cells] == 1).all()
        assert count.max(initial=0) <= 1
        assert sum((b.height + 20) * (b.width + 20) for b in boxes) <= 60 * 84
    corners = np.zeros((64, 64), bool)
    corners[0, 0] = corners[-1, -1] = True
    assert covering(corners, 4) == [Window(0, 0, 1, 1), Window(63, 63, 1, 1)]


def test_painting_does_not_depend_on_the_blocks(ground: Ground) -> None:
    generator = np.random.default_rng(2)
    cells = ground.cells.shape[1:]
    changed = generator.random(cells) < 0.1
    colours = np.where(changed, 0.9, ground.cells).astype(np.float32)
    # Half of them are copied from elsewhere, the others drawn.
    sources = generator.integers(0, min(cells), (2, *cells)).astype(np.int32)
    sources[:, ~changed | (generator.random(cells) < 0.5)] = NO_SOURCE
    still = np.zeros(cells, np.float32)
    changes = Changes(changed, colours, sources, still, still)
    painted = []
    for size, step in ((7, 64), (64, 64), (64, 7)):
        stored = np.array(ground.stored)
        for block in cut(*cells, size):
            around = grown(block, reach_of(BlockLift()), *cells)
            at = (..., *around.slices)
            paint(
                stored[(slice(None), *in_pixels(block).slices)],
                block,
                ground.encoding,
                ground.view.image,
                ground.view.tone,
                before=np.zeros((around.height, around.width), bool),
                after=Changes(*(plane[at] for plane in vars(changes).values())),
                around=around,
                lift=BlockLift(),
                step=step,
            )
        painted.append(stored)
    np.testing.assert_array_equal(painted[0], painted[1])
    np.testing.assert_array_equal(painted[0], painted[2])
    assert (painted[0] != ground.stored).any()


def test_observations_have_the_means_of_state_and_difference() -> None:
    generator = np.random.default_rng(0)
    seen = generator.normal(0, 0.03, (3, 20, 24)).astype(np.float32)
    state = generator.uniform(0.3, 0.7, (3, 80, 96)).astype(np.float32)
    whole = observed(state, seen, Window(0, 0, 20, 24))
    np.testing.assert_allclose(cell_means(whole - state), seen, atol=0.002)
    part = observed(state[:, 32:64, 40:70], seen, Window(8, 10, 8, 8))
    np.testing.assert_allclose(part, whole[:, 32:64, 40:70], atol=1e-3)
    constant = upsampled(torch.full((1, 1, 6, 6), 0.2))
    torch.testing.assert_close(constant, torch.full_like(constant, 0.2))
