from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ground_cases import made_place

from forecast.baselines import DressedPersistence
from forecast.network.conditions import CONDITIONS, RULES, Tone, rule_columns
from forecast.network.unet import UNCALIBRATED, ChangeUNet
from forecast.pretrained import load_model
from forecast.training import loop
from forecast.training.catalogue import Catalogue
from forecast.training.config import ForecastTraining, read_recipe
from forecast.training.familiar import familiarity_of
from forecast.training.hurdle_loss import HurdleLoss, hurdle_loss, noise_of
from forecast.training.loop import train_network
from forecast.training.place_scores import Case, score_place
from forecast.training.place_tensors import Ground
from forecast.training.portable import load_places, save_places
from forecast.training.probability_calibration import CellRows, calibrate, fitted
from forecast.training.run import run_training
from forecast.training.training_samples import Drawing, Item, gather
from preprocessing.errors import DivergedError, MissingFileError, PairStoreError, RequestError
from preprocessing.tiles.cells import cell_means

CPU = torch.device("cpu")


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _items(rows: list[list[int]], drawing: Drawing | None, seed: int = 0) -> Item:
    ground = Ground.of([made_place(seed=1), made_place("there", dates=4, width=200)])
    table = torch.tensor(rows)
    return gather(ground, table, torch.ones(len(table)), drawing, _seeded(seed))


def test_items_show_the_place_the_dates_and_the_window() -> None:
    here, there = made_place(seed=1), made_place("there", dates=4, width=200)
    number = list(here.labels).index((1, 3))
    item = _items([[0, 1, 3, number, 4, 2], [1, 2, 3, len(here.labels), 0, 18]], None)
    assert torch.equal(
        (item.past[0] * 255).round().byte(), torch.from_numpy(here.images[1, :, 16:144, 8:136])
    )
    cells = torch.from_numpy(cell_means(there.images[3])[:, :32, 18:50]).round() / 255
    assert torch.allclose(item.future[1], cells, atol=1e-6)
    label = torch.from_numpy(here.labels[1, 3][4:36, 2:34].astype(np.float32)) / 254
    assert torch.equal(item.change[0, 0], label)
    assert item.labelled[0].all()
    assert item.years.tolist() == [4.0, 2.0]
    assert item.earlier.ago[0, item.earlier.ago[0] > 0].tolist() == [2.0]
    assert sorted(item.earlier.ago[1, item.earlier.ago[1] > 0].tolist()) == [2.0, 4.0]


def test_earlier_dates_come_in_the_colours_of_the_start() -> None:
    here = made_place(seed=1)
    item = _items([[0, 1, 3, 0, 0, 0]], None)
    seen = torch.from_numpy(cell_means(here.images[0])[:, :32, :32]).round() / 255
    at = int(item.earlier.ago[0].argmax())
    assert torch.allclose(item.earlier.cells[0, at], 0.5 * seen + 0.1, atol=1e-5)


def test_nothing_later_than_the_start_is_told() -> None:
    rows = [[0, 2, 3, 0, 3, 1]] * 4
    places = [made_place(seed=1)]
    ground = Ground.of(places)
    places[0].images[3:] = np.random.default_rng(0).integers(0, 256, places[0].images[3:].shape)
    other = Ground.of(places)
    items = [
        gather(g, torch.tensor(rows), torch.ones(4), Drawing(alone=0.0), _seeded())
        for g in (ground, other)
    ]
    model = ChangeUNet(block_out_channels=(32, 32))
    told = [model.condition(item.past, item.tone, item.earlier) for item in items]
    assert torch.equal(told[0], told[1])
    assert not torch.equal(items[0].future, items[1].future)


def test_drawing_more_change_does_not_change_what_is_expected() -> None:
    places = [made_place(seed=1), made_place("there", dates=4, width=200)]
    ground = Ground.of(places)
    plain = Catalogue.of(places, ground, weights={}, boost=0.0)
    boosted = Catalogue.of(places, ground, weights={}, boost=30.0)
    assert np.allclose(boosted.share * boosted.weight, plain.share)
    drawn = boosted.share / plain.share
    assert drawn.max() > 5 * drawn.min()
    assert plain.share.sum() == pytest.approx(1)


def test_turned_items_keep_their_parts_together() -> None:
    item = _items([[0, 1, 3, 1, 4, 2]] * 16, Drawing(mixing=0.0), seed=3)
    low = torch.nn.functional.avg_pool2d(item.past, 4)
    # Ground that stays differs by noise of 5 grey levels alone, whatever was turned or permuted.
    stayed = (item.change == 0).expand_as(low)
    spread = (item.future - low)[stayed].abs().mean()
    assert spread < 6 / 255
    assert (item.future - low)[(item.change > 0.5).expand_as(low)].abs().mean() > 30 / 255


def test_looks_are_learnt_where_ground_changed_alone() -> None:
    model = ChangeUNet(block_out_channels=(32, 32))
    number = list(made_place(seed=1).labels).index((1, 3))
    item = _items([[0, 1, 3, number, 0, 0]] * 2, None)
    calm = replace(item, change=torch.zeros_like(item.change))
    loss, still = (hurdle_loss(model, shown, _seeded()) for shown in (item, calm))
    assert float(loss.look.detach()) > 0
    assert float(still.look.detach()) == 0
    assert float(still.change.detach()) > 0
    loss.total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_places_without_labels_are_told() -> None:
    place = replace(made_place(seed=1), labels={})
    with pytest.raises(RequestError, match="labelled with what changed lastingly, found none in 1"):
        Catalogue.of([place], Ground.of([place]), weights={})


def test_training_continues_where_it_stopped(tmp_path: Path) -> None:
    places = [made_place(seed=1), made_place("val", seed=2)]
    ground = Ground.of(places)
    catalogue = Catalogue.of(places[:1], ground, weights={})
    first = len(places[0].labels)
    cases = [Case("val", 1, 1, 3, first + list(places[1].labels).index((1, 3)))]
    plain = ForecastTraining(
        block_out_channels=(32, 32), steps=4, batch_size=4, validate_every=2, warmup_steps=1
    )
    whole = train_network(ground, catalogue, cases, plain, tmp_path / "whole", device=CPU)
    half = tmp_path / "half"
    with pytest.raises(KeyboardInterrupt):
        _stopped(ground, catalogue, cases, plain, half)
    again = train_network(ground, catalogue, cases, plain, half, device=CPU)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    loaded = ChangeUNet.from_pretrained(half / "step_4")
    score = score_place(loaded, ground, cases[0], history=True)
    assert score.auc is not None
    assert 0 <= score.auc <= 1
    assert score.look is not None
    assert score.look < 1


def _stopped(
    ground: Ground,
    catalogue: Catalogue,
    cases: list[Case],
    config: ForecastTraining,
    out: Path,
) -> None:
    """Stop in the third step, after the checkpoint of the second."""
    calls = 0
    real = loop.hurdle_loss

    def counted(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    loop.hurdle_loss = counted  # type: ignore[assignment]
    try:
        train_network(ground, catalogue, cases, config, out, device=CPU)
    finally:
        loop.hurdle_loss = real


def test_calibration_takes_back_how_items_were_drawn() -> None:
    model: ChangeUNet = ChangeUNet(block_out_channels=(32, 32)).eval()
    item = _items([[0, 1, 3, 0, 0, 0], [1, 0, 3, 0, 0, 0]], None)
    changed = (torch.rand(item.change.shape, generator=_seeded(1)) < 0.3).float()
    item = replace(item, change=changed, weight=torch.tensor([0.1, 2.0]))
    calibrate(model, [item], [item], _seeded())
    generator = _seeded()
    noise_of(2, 32, 8, generator)
    noise, regional = noise_of(2, 32, 8, generator)  # The offset is fitted last.
    condition = model.condition(item.past, item.tone, item.earlier)
    answer = model(noise, condition, item.tone, item.years, item.gsd_m, regional)
    # Past change tells where, not how much.
    drawn = answer.drawn - model.by_past_change(condition)
    odds = model.occurrence(drawn, condition, item.tone, item.years)
    counts = item.labelled * item.weight.view(-1, 1, 1, 1)
    told, came = (
        float((values * counts).sum() / counts.sum()) for values in (torch.sigmoid(odds), changed)
    )
    assert told == pytest.approx(came, rel=0.01)


def test_slopes_are_those_within_places() -> None:
    generator = _seeded(2)
    place = torch.arange(2).repeat_interleave(20_000)
    column = torch.randn(40_000, generator=generator) - 2 * place  # Low where much changes.
    odds = -3 + 2.5 * place + 0.8 * column
    changed = (torch.rand(40_000, generator=generator) < odds.sigmoid()).float()
    one, nothing = torch.ones_like(column), torch.zeros_like(column)
    columns = torch.stack([column, one, nothing, nothing, nothing], dim=1)
    rows = CellRows(columns, changed, torch.ones(40_000), place)
    start = torch.tensor(UNCALIBRATED)
    within = fitted(rows, start, (1.0, 0.0, 0.0, 0.0, 0.0))
    assert float(within[0]) == pytest.approx(0.8, abs=0.05)
    pooled = fitted(replace(rows, place=None), start, (1.0, 1.0, 0.0, 0.0, 0.0))
    assert float(pooled[0]) < 0.6


def test_occurrence_by_rules_is_that_of_the_conditions_alone() -> None:
    torch.manual_seed(0)
    model: ChangeUNet = ChangeUNet(block_out_channels=(32, 32)).eval()
    rules = model.occurrence_by_rules()
    item = _items([[0, 1, 3, 0, 0, 0]], None)
    condition = model.condition(item.past, item.tone, item.earlier)
    noise, regional = noise_of(1, 32, 8, _seeded())
    shown = (noise, condition, item.tone, item.years, item.gsd_m, regional)
    told, own = rules(*shown), model(*shown)
    columns = rule_columns(condition[:, -CONDITIONS:])
    expected = sum(weight * columns[:, [channel]] for channel, weight in RULES)
    torch.testing.assert_close(told.drawn, expected)
    past, texture = rules.by_past_change(condition), RULES[2][1] * columns[:, [RULES[2][0]]]
    assert past.abs().max() > 0.1
    torch.testing.assert_close(told.drawn - past, texture)
    torch.testing.assert_close(told.look, own.look)
    assert float((own.drawn - told.drawn).abs().max()) > 0.01


def test_where_contrast_is_low_fewer_changes_are_as_large_as_lasting_change() -> None:
    drawn, condition = torch.zeros(2, 1, 4, 4), torch.zeros(2, CONDITIONS, 4, 4)
    tone = Tone(torch.full((2, 3), 0.5), torch.tensor([0.05, 0.1]))
    model: ChangeUNet = ChangeUNet(block_out_channels=(32, 32)).eval()
    odds = model.occurrence(drawn, condition, tone, torch.ones(2))
    sizes = np.random.default_rng(0).exponential([[0.05], [0.1]], (2, 400_000))
    share = (sizes > 20 / 255).mean(axis=1)
    told = float((odds[0] - odds[1]).mean())
    assert told == pytest.approx(np.log(share[0] / share[1]), abs=0.02)


def test_places_travel_in_one_file(tmp_path: Path) -> None:
    place = made_place(seed=1)
    place.valid[2, :8, :100] = False
    path = tmp_path / "places.npz"
    save_places(path, [place], [made_place("val", seed=2)])
    (found,), (val,) = load_places(path)
    assert (found.name, found.dataset, found.gsd_m, val.name) == ("here", "made", 10.0, "val")
    assert np.array_equal(found.years, place.years)
    assert np.array_equal(found.valid, place.valid)
    assert np.array_equal(found.colours, place.colours)
    assert found.labels.keys() == place.labels.keys()
    assert all(np.array_equal(found.labels[k], place.labels[k]) for k in place.labels)
    # JPEG at quality 92 of noise of five grey levels.
    assert np.abs(found.images.astype(int) - place.images).mean() < 3


def test_other_files_are_not_taken_for_places(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing at"):
        load_places(tmp_path / "places.npz")
    np.savez(tmp_path / "other.npz", header=np.zeros(3, np.uint8), sizes=0, data=0)
    with pytest.raises(PairStoreError, match="something else in"):
        load_places(tmp_path / "other.npz")


def test_the_best_validation_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "places.npz"
    save_places(path, [made_place(seed=1)], [made_place("val", seed=2)])
    config = ForecastTraining(
        block_out_channels=(32, 32), steps=2, batch_size=2, validate_every=1, warmup_steps=1
    )
    out = run_training(path, tmp_path / "model", config, device=CPU)
    step = json.loads((out / "training.json").read_text())["step"]
    kept = (out / "diffusion_pytorch_model.safetensors").read_bytes()
    folder = out / "training" / f"step_{step}"
    assert kept == (folder / "diffusion_pytorch_model.safetensors").read_bytes()
    lines = (out / "training" / "journal.jsonl").read_text().splitlines()
    scores = [json.loads(line)["scores"] for line in lines]
    means = [
        sum(
            np.mean([s[key] for s in cases.values() if s[key] is not None])
            for key in ("auc", "look")
        )
        for cases in scores
    ]
    assert step == 1 + int(np.argmax(means))


def test_a_time_limit_ends_training_with_the_schedule_done(tmp_path: Path) -> None:
    places = [made_place(seed=1)]
    ground = Ground.of(places)
    catalogue = Catalogue.of(places, ground, weights={})
    config = ForecastTraining(
        block_out_channels=(32, 32), steps=10**6, batch_size=2, validate_every=10**6
    )
    train_network(ground, catalogue, [], config, tmp_path, device=CPU, minutes=1e-4)
    (entry,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert json.loads(entry)["step"] < 100


@pytest.mark.parametrize("name", ["base", "gpu", "small"])
def test_shipped_recipes_are_read(name: str) -> None:
    assert read_recipe(name).steps > 0


def test_a_model_knows_what_its_places_look_like() -> None:
    places = [made_place(seed=seed) for seed in range(3)]
    found = familiarity_of(places, tiles=60)
    tile = torch.from_numpy(places[1].images[0, :, :128, :128])[None].float() / 255
    gsd_m = torch.tensor([10.0])
    assert found.score(tile, gsd_m)[0] < 1.5
    assert found.score(0.5 + (tile - 0.5) * 0.05, gsd_m)[0] > 3


def test_a_table_of_a_recipe_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("steps = 3\n[drawing]\nalone = 0.6\ndates = 4\n")
    recipe = read_recipe(path)
    assert recipe.drawing == Drawing(alone=0.6, dates=4)
    for table in ("[drawing]\nalon = 0.6\n", "drawing = 0.6\n", '[drawing]\nalone = "much"\n'):
        path.write_text(table)
        with pytest.raises(RequestError, match=r"drawing|alon"):
            read_recipe(path)


def test_training_starts_from_a_model_and_goes_on_with_its_own_recipe_only(tmp_path: Path) -> None:
    path = tmp_path / "places.npz"
    save_places(path, [made_place(seed=1)], [])
    config = ForecastTraining(
        block_out_channels=(32, 32), steps=1, batch_size=2, validate_every=1, warmup_steps=1
    )
    first = run_training(path, tmp_path / "first", config, device=CPU)
    wide = replace(config, block_out_channels=(32, 48), learning_rate=1e-12)
    second = run_training(path, tmp_path / "second", wide, init=first, device=CPU)
    one, other = (load_model(folder, device=CPU).state_dict() for folder in (first, second))
    # With hardly a step its weights are those of the model, rounded to float16 on the way; the
    # calibration is fitted anew.
    learnt = [name for name in one if name != "calibration"]
    assert all(torch.allclose(one[name], other[name], atol=2e-3) for name in learnt)
    assert DressedPersistence.load(second).tables
    with pytest.raises(RequestError, match="repeat its recipe"):
        run_training(path, first, wide, device=CPU)


def test_a_machine_without_gdal_and_zarr_can_train(tmp_path: Path) -> None:
    save_places(tmp_path / "places.npz", [made_place(seed=1)], [])
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        "block_out_channels = [32, 32]\nsteps = 1\nbatch_size = 2\n"
        "validate_every = 1\nwarmup_steps = 1\n",
        encoding="utf-8",
    )
    without = (
        "import sys; sys.modules['zarr'] = sys.modules['rasterio'] = None; "
        "from app.cli import main; main()"
    )
    options = ["--config", str(recipe), "--out", str(tmp_path / "model")]
    command = [sys.executable, "-c", without, "train", "forecast", str(tmp_path / "places.npz")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert load_model(tmp_path / "model", device=CPU).config.block_out_channels == [32, 32]


def test_a_loss_that_is_no_number_ends_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = torch.zeros((), requires_grad=True)
    broken = HurdleLoss(nothing, nothing * torch.nan)
    monkeypatch.setattr(loop, "hurdle_loss", lambda *_: broken)
    places = [made_place(seed=1)]
    ground = Ground.of(places)
    catalogue = Catalogue.of(places, ground, weights={})
    config = ForecastTraining(block_out_channels=(32, 32), steps=1, batch_size=2)
    with pytest.raises(DivergedError, match="learning_rate"):
        train_network(ground, catalogue, [], config, tmp_path, device=CPU)
    assert not (tmp_path / "checkpoint.pt").exists()
