from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

import app.members
from app.evaluation import evaluate
from app.forecasting import forecast_region
from app.request import ForecastRequest
from forecast.baselines import DressedPersistence
from forecast.earlier_images import open_earlier, read_earlier
from forecast.ensemble import predict_tiles
from forecast.evaluation.methods import Method
from forecast.evaluation.scoring import score_methods
from forecast.evaluation.values import ValueScores
from forecast.history import History
from forecast.pair_history import NONE, find_chains, history_of
from forecast.patches import to_low
from forecast.pretrained import load_model
from forecast.region import EarlierImage
from forecast.rollout import rollout
from forecast.start import read_start
from forecast.training.begin import first_model
from forecast.training.config import TrainingConfig
from forecast.training.data import PairData
from forecast.training.loop import train_forecast
from forecast.unet import ForecastUNet
from preprocessing.errors import (
    DateError,
    ModelFolderError,
    NoOverlapError,
    OutputExistsError,
    RequestError,
)
from preprocessing.io import RasterSource
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore
from sr.rrdb import RRDBNet
from tests.conftest import picture

Make = Callable[..., Path]


def pairs_of(*dates: tuple[int, int], tone: float = 1.0) -> Pairs:
    """One tile at pairs of dates; the ground brightens in its left half, 5 grey levels a year.

    Each pair is stored in the tone of its earlier date: contrast `tone` for odd years, else 1.
    """
    ground = 60.0 + picture(128, 128).astype(float) / 4

    def seen(year: int, tone_of: int) -> np.ndarray:
        image = ground.copy()
        image[..., :64] += 5 * (year - 2000)
        return np.rint(image * (tone if tone_of % 2 else 1.0)).astype(np.uint8)

    count = len(dates)
    return Pairs(
        past=np.stack([seen(past, past) for past, _ in dates]),
        future=np.stack([seen(future, past) for past, future in dates]),
        valid=np.ones((count, 128, 128), bool),
        years=np.array([future - past for past, future in dates], np.float32),
        gsd_m=np.full(count, 10, np.float32),
        row=np.zeros(count, np.int32),
        col=np.zeros(count, np.int32),
        split=np.zeros(count, np.uint8),
        source=np.array([f"toy/place/{past}/{future}" for past, future in dates]),
    )


def chains_of(pairs: Pairs, count: int = 2) -> np.ndarray:
    return find_chains(pairs.source, pairs.row, pairs.col, pairs.years, count=count)


def test_chains_lead_back_to_the_nearest_dates() -> None:
    pairs = pairs_of((2004, 2006), (2003, 2004), (2000, 2004), (2000, 2003), (2006, 2008))
    found = chains_of(pairs)
    assert found[0].tolist() == [[1, NONE], [2, NONE]]  # 2000 by one pair, not over 2003.
    assert found[1].tolist() == [[3, NONE], [NONE, NONE]]
    assert found[2].tolist() == [[NONE, NONE]] * 2
    assert found[4].tolist() == [[0, NONE], [0, 1]]  # 2004, then 2003 over it.
    assert chains_of(pairs, 1)[4].tolist() == [[0]]
    assert chains_of(pairs, 0).shape == (5, 0, 0)
    elsewhere = replace(pairs, row=np.array([0, 0, 128, 0, 0], np.int32))
    assert chains_of(elsewhere)[0].tolist() == [[1, NONE], [1, 3]]
    stores = np.array([0, 1, 0, 0, 0])
    apart = find_chains(pairs.source, pairs.row, pairs.col, pairs.years, count=2, store=stores)
    assert apart[0].tolist() == [[2, NONE], [NONE, NONE]]


@pytest.mark.parametrize("tone", [1.0, 0.7])
def test_earlier_pictures_are_in_the_tone_of_the_past(tone: float) -> None:
    pairs = pairs_of((2004, 2006), (2003, 2004), (2000, 2003), tone=tone)
    history = history_of(pairs.take(np.array([0])), chains_of(pairs)[:1], pairs.take)
    assert history.years.tolist() == [[1.0, 4.0]]
    past = to_low(torch.from_numpy(pairs.past[:1]).float())
    change = 255 * history.pictures[0] - past
    # Rounding of the stored values, over at most two pairs.
    wanted = torch.tensor([-5.0, -20.0])[:, None, None, None].expand(2, 3, 32, 16)
    torch.testing.assert_close(change[..., :16], wanted, atol=1.6, rtol=0)
    assert float(change[..., 16:].abs().max()) < 1.6


def test_what_was_not_observed_or_is_other_ground_is_no_change() -> None:
    pairs = pairs_of((2004, 2006), (2003, 2004), (2000, 2003))
    chains = chains_of(pairs)[:1]
    first = pairs.take(np.array([0]))
    pairs.valid[1, :, :64] = False
    history = history_of(first, chains, pairs.take)
    low = to_low(torch.from_numpy(first.past).float() / 255)
    torch.testing.assert_close(history.pictures[0, 0], low[0])
    assert not torch.allclose(history.pictures[0, 1], low[0])
    other = replace(pairs, future=pairs.future[..., ::-1].copy())
    assert history_of(first, chains, other.take).years.tolist() == [[0.0, 0.0]]


def test_a_step_makes_the_present_the_nearest_earlier_date() -> None:
    low = torch.full((2, 3, 4, 4), 0.5)
    known = History(torch.stack([low * 0, low * 0.2], 1), torch.tensor([[2.0, 0.0], [2.0, 5.0]]))
    after = known.after(low, torch.tensor([3.0, 0.0]))
    assert after.years.tolist() == [[3.0, 5.0], [2.0, 5.0]]
    assert torch.equal(after.pictures[0], torch.stack([low[0], low[0] * 0]))
    assert torch.equal(after.pictures[1], known.pictures[1])
    kept = known.kept(torch.tensor([[True, True], [False, True]]))
    assert kept.years.tolist() == [[2.0, 0.0], [5.0, 0.0]]
    assert torch.equal(kept.pictures[1, 0], known.pictures[1, 1])


def history_model() -> ForecastUNet:
    torch.manual_seed(0)
    model: ForecastUNet = ForecastUNet(block_out_channels=(16, 32), history=2)
    return model.eval()


def test_a_history_changes_the_forecast_and_none_is_one_without_dates() -> None:
    model = history_model()
    past = torch.from_numpy(picture(128, 128)).float()[None] / 255
    low = to_low(past)

    def members(history: History | None) -> torch.Tensor:
        return predict_tiles(model, past, torch.ones(1), members=1, seed=0, history=history)

    alone = members(None)
    garbage = History(low[:, None] * 3, torch.zeros(1, 1))
    torch.testing.assert_close(members(History.none(low, 2)), alone)
    torch.testing.assert_close(members(garbage), alone)
    one = members(History(low[:, None] * 0.5, torch.tensor([[2.0]])))
    assert not torch.allclose(one, alone)
    assert not torch.allclose(members(History(low[:, None] * 0.5, torch.tensor([[9.0]]))), one)
    third = torch.stack([low * 0.5, low, low * 2], 1)
    two = members(History(third[:, :2], torch.tensor([[2.0, 3.0]])))
    assert not torch.allclose(two, one)
    torch.testing.assert_close(members(History(third, torch.tensor([[2.0, 3.0, 4.0]]))), two)
    finer = third.repeat_interleave(4, -1).repeat_interleave(4, -2)
    seen, same = (
        History(images, torch.tensor([[2.0, 3.0, 4.0]])).channels(low, 2, scale=0.1)
        for images in (third, finer)
    )
    torch.testing.assert_close(same, seen)
    torch.testing.assert_close(members(History.none(past, 0)), alone)


def index_of(folder: Path) -> PairIndex:
    """Three pairs of four dates, stored."""
    store = PairStore.create(folder / "pairs.zarr")
    store.append(pairs_of((2004, 2006), (2003, 2004), (2000, 2003)))
    return PairIndex.of([folder / "pairs.zarr"], "train")


def test_batches_are_the_same_beside_their_history(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    plain = PairData(index, seed=1, colour_jitter=0.1)
    data = PairData(index, seed=1, colour_jitter=0.1, history=2)
    moved = 0
    for step in range(6):
        batch, again = data.batch(step, 4), data.batch(step, 4)
        assert torch.equal(batch.past, plain.batch(step, 4).past)
        assert torch.equal(batch.history.pictures, again.history.pictures)
        for i in torch.nonzero(batch.history.years[:, 0]).flatten().tolist():
            # The half that brightens to the future is the one that was darker before.
            change = batch.history.pictures[i, 0] - to_low(batch.past[i : i + 1])[0]
            brighter = batch.difference[i] > 0.01
            assert (change[brighter] < -0.01).all()
            assert change[~brighter].abs().max() < 0.01
            moved += int(brighter.any())
    assert moved > 4
    withheld = PairData(index, seed=1, history=2, history_dropout=1.0)
    assert float(withheld.batch(0, 8).history.years.abs().sum()) == 0


def test_training_with_history_goes_on_from_weights_without(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    config = TrainingConfig(
        block_out_channels=(16, 32),
        attention_levels=0,
        steps=2,
        batch_size=2,
        warmup_steps=1,
        validate_every=2,
        rollout_share=1.0,
    )
    stores = [tmp_path / "pairs.zarr"]
    first = train_forecast(stores, tmp_path / "first", config)
    more = replace(config, history=2)
    layer = "unet.conv_in.weight"
    before = load_model(first).state_dict()[layer]
    begun = first_model(more, PairData(index, seed=0), first)
    assert torch.equal(begun.state_dict()[layer][:, :51], before)
    assert float(begun.state_dict()[layer][:, 51:].abs().sum()) == 0
    second = train_forecast(stores, tmp_path / "second", more, init=first)
    after = load_model(second).state_dict()[layer]
    assert after.shape[1] == 51 + 8
    assert float(after[:, 51:].abs().max()) > 0
    with pytest.raises(ModelFolderError, match="history of at least 2"):
        train_forecast(stores, tmp_path / "third", config, init=second)
    with pytest.raises(ValueError, match="history"):
        replace(config, history=-1)


def test_a_rollout_sees_its_own_years_then_the_given_dates(tmp_path: Path) -> None:
    seen = {}

    class Recorder:
        history = 2

        def step(self, state, result, key, *, history, **_):  # type: ignore[no-untyped-def]
            result[:] = state + 1
            seen[key.year] = [(float(earlier.image.mean()), earlier.years) for earlier in history]
            return np.zeros_like(state)

    start = np.zeros((3, 4, 4), np.float32)
    given = [EarlierImage(start - 5, 3.0)]
    how = {"seed": 0, "member": 0, "start_year": 2020, "history": given}
    for _ in rollout(Recorder(), start, tmp_path, years=3, **how):  # type: ignore[arg-type]
        pass
    for _ in rollout(Recorder(), start, tmp_path, years=4, **how):  # type: ignore[arg-type]
        pass
    assert seen == {
        2021: [(-5, 3)],
        2022: [(0, 1), (-5, 4)],
        2023: [(1, 1), (0, 2), (-5, 5)],
        2024: [(2, 1), (1, 2), (-5, 6)],
    }


@pytest.fixture
def request_of(
    tmp_path: Path, make_raster: Make, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ForecastRequest]:
    """Requests on a region of 2020 with a model that takes two earlier dates."""

    def load() -> RRDBNet:
        torch.manual_seed(1)
        network: RRDBNet = RRDBNet(num_blocks=1)
        return network.eval()

    monkeypatch.setattr(app.members, "load_network", load)
    folder = tmp_path / "model"
    history_model().save_pretrained(folder)
    table = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 0, "quantiles": [0.0] * 401}
    DressedPersistence((table,)).save(folder)
    region = make_raster("region_2020.tif")

    def make(out: str, *history: Path, **options: object) -> ForecastRequest:
        defaults: dict[str, object] = {"years": 3, "members": 1, "model": str(folder)}
        return ForecastRequest(
            region=region,
            out=tmp_path / out,
            history=history,
            **{**defaults, **options},  # type: ignore[arg-type]
        )

    return make


def mean_of(request: ForecastRequest, year: int) -> np.ndarray:
    with rasterio.open(request.out / f"mean_{year}.tif") as dataset:
        return np.asarray(dataset.read())


def test_an_evaluation_shows_the_history_and_says_so(
    tmp_path: Path, request_of: Callable[..., ForecastRequest]
) -> None:
    index_of(tmp_path)
    model = request_of("out").model
    how = {"split": "train", "members": 2, "with_history": True}
    report = evaluate(model, [tmp_path / "pairs.zarr"], tmp_path / "scores", **how)  # type: ignore[arg-type]
    assert (
        "2 pairs. 2 of them have at least 1 earlier date that a model saw. 1 of them have at least "
        "2 earlier dates that a model saw." in report.read_text()
    )
    lone = PairStore.create(tmp_path / "lone.zarr")
    lone.append(replace(pairs_of((2004, 2006)), source=np.array(["lone/place/2004/2006"])))
    stores = [tmp_path / "pairs.zarr", tmp_path / "lone.zarr"]
    report = evaluate(model, stores, tmp_path / "both", **how)  # type: ignore[arg-type]
    assert "lone" not in report.with_suffix(".html").read_text().split("<h2>Settings")[0]
    with pytest.raises(RequestError, match="three dates"):
        evaluate(model, [tmp_path / "lone.zarr"], tmp_path / "none", **how)  # type: ignore[arg-type]
    index = PairIndex.of([tmp_path / "pairs.zarr"], "train")
    shown = []
    method = Method("seen", lambda cases, _: shown.append(cases) or cases.difference[None], 2)  # type: ignore[func-returns-value]
    score_methods(index, np.arange(3), [method], [ValueScores()])
    assert shown[0].history.years.tolist() == [[1.0, 4.0], [3.0, 0.0], [0.0, 0.0]]


def test_a_region_is_forecast_from_three_dates_and_resumes_to_the_same_pixels(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    earlier = [make_raster(f"earlier_{year}.tif") for year in (2016, 2018)]
    alone, whole = request_of("alone"), request_of("whole", *earlier)
    for request in (alone, whole):
        forecast_region(request)
    assert not np.array_equal(mean_of(whole, 2021), mean_of(alone, 2021))
    run = json.loads((whole.out / "run.json").read_text())
    assert [entry[:2] for entry in run["history"]] == [
        [str(earlier[1]), "2018-01-01"],
        [str(earlier[0]), "2016-01-01"],
    ]
    assert run["arguments"]["history"] == [str(path) for path in earlier]

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "forecasting" and done > 0.7 * total:
            raise KilledError

    parts = request_of("parts", *earlier)
    with pytest.raises(KilledError):
        forecast_region(parts, progress=kill)
    states = {path.name for path in (parts.out / ".partial/states_000").glob("state_*")}
    assert states == {"state_2021.npy", "state_2022.npy"}  # What the last year needs.
    with pytest.raises(RequestError, match="other arguments"):
        forecast_region(replace(parts, history=parts.history[:1], resume=True))
    forecast_region(replace(parts, resume=True))
    for year in (2021, 2022, 2023):
        np.testing.assert_array_equal(mean_of(parts, year), mean_of(whole, year))


def test_wrong_histories_are_refused(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    tiny_model_folder: Path,
) -> None:
    good, same = make_raster("good_2018.tif"), make_raster("same_2018.tif")
    third, fourth = make_raster("third_2017.tif"), make_raster("fourth_2016.tif")
    other = make_raster("other_2015.tif", seed=3)
    for history, error, words, options in (
        ((make_raster("later_2021.tif"),), DateError, "before 2020", {}),
        ((make_raster("undated.tif"),), DateError, "name it like", {}),
        ((good, same), DateError, "different dates", {}),
        ((good, third, fourth), RequestError, "at most 2", {}),
        ((good,), RequestError, "at most 0", {"model": str(tiny_model_folder)}),
    ):
        request = request_of("out", *history, **options)
        with pytest.raises(error, match=words):
            forecast_region(request)
        assert not request.out.exists()
    far = move(other, by=100_000)
    with pytest.raises(NoOverlapError):
        forecast_region(request_of("out", far))
    request = request_of("folder", good)
    request.out.mkdir()
    inside = good.rename(request.out / good.name)
    with pytest.raises(OutputExistsError, match="beside the image"):
        forecast_region(replace(request, history=(inside,), overwrite=True))


def test_an_earlier_image_is_laid_over_the_region_in_its_tone(
    make_raster: Make, tmp_path: Path
) -> None:
    seen = np.ones((150, 170), bool)
    seen[100:] = False
    region = RasterSource.open(make_raster("region_2020.tif"))
    path = make_raster("earlier_2015.tif", scale=0.7, nodata=0, valid=seen)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        values = dataset.read()
        values[:, 40:60, 60:80] = 20
        dataset.write(values)
    move(path, by=30)  # Its pixels lie three columns too far east.
    start, _ = read_start(region, tmp_path)
    [earlier] = open_earlier(region, [path])
    assert earlier.years == pytest.approx(5, abs=0.01)
    read_earlier(region, start, earlier.source, tmp_path / "earlier.npy")
    change = np.load(tmp_path / "earlier.npy") - start
    assert change.shape == (3, 152, 172)
    assert change[:, 42:58, 62:78].mean() < -0.2
    still = change[:, :95, :165].copy()
    still[:, 36:64, 56:84] = 0
    assert np.abs(still).max() < 0.05
    np.testing.assert_array_equal(change[:, 104:148], 0)
    np.testing.assert_array_equal(change[:, :, 170], change[:, :, 169])


def move(path: Path, *, by: float) -> Path:
    """The same raster `by` metres further east."""
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.transform = Affine.translation(by, 0) @ dataset.transform
    return path
