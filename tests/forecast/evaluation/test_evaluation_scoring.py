from __future__ import annotations

import math

import numpy as np
import pytest
from pair_store_cases import place_pairs

from forecast.baselines import DressedPersistence
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.cases.pairs import pair_baselines, pair_cases, pair_name, tile_forecaster
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.method import CaseMethod
from forecast.evaluation.methods.tile import TileEnsemble
from forecast.evaluation.scores.bootstrap import LEAST_UNITS, draw_units, estimate
from forecast.evaluation.scores.harm import Harm
from forecast.evaluation.scores.probabilistic import Observations
from forecast.evaluation.scores.resampling import resampling_units
from forecast.evaluation.scores.results import Comparison, Section, sections
from forecast.evaluation.scores.sums import EvaluationSums, Group
from forecast.evaluation.scoring import pair_statistics, score_cases
from forecast.hindcast.observations import ObservationModels
from forecast.horizons import HORIZON_NAMES, horizon_class
from forecast.network.unet import ChangeUNet
from forecast.pretrained import model_folder
from preprocessing.errors import ModelFolderError
from preprocessing.pairs.store import PairStore
from preprocessing.series.pair_index import PairIndex
from preprocessing.tiles.cells import cell_means

ALONE = ObservationModels.load(model_folder()).alone
STATISTICS = [Harm(), Observations(seed=1)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PairIndex:
    folder = tmp_path_factory.mktemp("stores")
    many = PairStore.create(folder / "many.zarr")
    for number in range(9):
        many.append(place_pairs("many", f"town/{number}", number))
    one = PairStore.create(folder / "one.zarr")
    for number in range(8):
        position = (128 * (number // 4), 128 * (number % 4))
        one.append(place_pairs("one", "isle", 100 + number, position=position))
    return PairIndex.of([folder / "many.zarr", str(folder / "one.zarr")], "val")


def shifted(
    name: str, offset: float, *, noise: float = 5.0, members: int = 4, stream: int = 0
) -> CaseMethod:
    """An ensemble around the truth in grey levels; methods of one stream have the same noise."""

    def forecast(case: SeriesCase) -> PlaceForecast:
        drawn = case.generator(1, stream).normal(offset, noise, (members, *case.truth.shape))
        return PlaceForecast(members=(case.truth + drawn).astype(np.float32))

    return CaseMethod(name, forecast)


def run(
    index: PairIndex,
    methods: list[CaseMethod],
    *,
    chosen: np.ndarray | None = None,
    statistics: list | None = None,
) -> EvaluationSums:
    chosen = np.arange(len(index)) if chosen is None else chosen
    units, _ = resampling_units(index)
    named = {pair_name(index, n): (str(index.dataset[n]), str(units[n])) for n in chosen}
    cases = pair_cases(index, chosen, split="val")
    return score_cases(
        cases, methods, statistics or STATISTICS, unit=lambda case: named[case.place]
    )


def in_all(sums: EvaluationSums, *, resamples: int = 400) -> dict[tuple[str, str], Section]:
    found = sections(sums, STATISTICS, seed=2, resamples=resamples)
    return {(section.dataset, section.horizon): section for section in found}


def same_sums(first: EvaluationSums, second: EvaluationSums) -> None:
    assert first.pairs == second.pairs
    assert first.sums.keys() == second.sums.keys()
    for key, row in first.sums.items():
        np.testing.assert_allclose(second.sums[key], row, rtol=1e-5, atol=1e-6)


def test_labels_are_read_and_images_follow_their_order(index: PairIndex) -> None:
    assert len(index) == 51
    assert set(index.dataset) == {"many", "one"}
    assert index.place[0] == "town/0"
    wanted = np.array([50, 3, 27, 0])
    pairs = index.read(wanted)
    assert pairs.source.tolist() == index.source[wanted].tolist()
    assert pairs.row.tolist() == index.row[wanted].tolist()
    np.testing.assert_array_equal(pairs.past[1], place_pairs("many", "town/1", 1).past[0])


def test_units_are_places_or_blocks_of_ground(index: PairIndex) -> None:
    units, kinds = resampling_units(index)
    assert kinds == {"many": "places", "one": "blocks"}
    assert len(set(units[index.dataset == "many"])) == 9
    # Two rows of four tiles: two blocks of 2 x 2 tiles, all dates of a tile in one.
    blocks = units[index.dataset == "one"]
    assert len(set(blocks)) == 2
    assert set(blocks[:6]) == {"isle 0,0"}


@pytest.mark.parametrize(
    ("years", "name"),
    [(0.9, "1"), (1.5, "1"), (2.4, "2"), (3, "3-4"), (4.6, "5-8"), (9, "9-16"), (35, ">16")],
)
def test_horizon_classes(years: float, name: str) -> None:
    assert HORIZON_NAMES[int(horizon_class(years))] == name


def test_pairs_become_cases_of_one_date(index: PairIndex) -> None:
    case, other = pair_cases(index, np.array([4, 0]), split="val")
    pairs = index.read(np.array([4]))
    np.testing.assert_array_equal(case.past.images[0], pairs.past[0])
    np.testing.assert_allclose(case.truth, cell_means(pairs.future[0]))
    assert case.years == 3
    assert case.start == 2012
    assert not case.known.any()
    assert case.generator(0, 0).random() != other.generator(0, 0).random()


def test_scores_do_not_depend_on_order_and_merge(index: PairIndex) -> None:
    dressed = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 1}
    table = DressedPersistence(({**dressed, "quantiles": np.linspace(-0.1, 0.1, 401).tolist()},))
    methods = [shifted("landcast", 3), *pair_baselines(table, members=3, seed=1)]
    order = np.random.default_rng(0).permutation(len(index))[:14]
    every = pair_statistics(seed=1)
    whole = run(index, methods, chosen=np.sort(order), statistics=every)
    same_sums(whole, run(index, methods, chosen=order, statistics=every))
    parts = [run(index, methods, chosen=part, statistics=every) for part in (order[:6], order[6:])]
    same_sums(whole, parts[0] + parts[1])
    same_sums(whole, parts[1] + parts[0])
    assert whole.methods() == ["landcast", "persistence", "dressed persistence"]


def test_a_network_gets_the_noise_of_the_pair(index: PairIndex, tiny_model: ChangeUNet) -> None:
    first, second = pair_cases(index, np.array([0, 30]), split="val")
    found = tile_forecaster("landcast", tiny_model, ALONE, None, members=3, seed=4).forecast(first)
    again = tile_forecaster("landcast", tiny_model, ALONE, None, members=3, seed=4)
    again.forecast(second)
    forecast = again.forecast(first)
    assert found is not None
    assert forecast is not None
    assert found.observed is not None
    assert found.observed.shape == (3, 3, 32, 32)
    np.testing.assert_array_equal(forecast.observed, found.observed)
    assert found.observed.std(axis=0).mean() > 0.1
    other = tile_forecaster("landcast", tiny_model, ALONE, None, members=3, seed=5).forecast(first)
    assert other is not None
    assert np.abs(other.observed - found.observed).max() > 0.1


def test_a_network_that_answers_nan_is_refused_not_left_out(
    index: PairIndex, tiny_model: ChangeUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> TileEnsemble:
        field = np.full((2, 3, 32, 32), np.nan, np.float32)
        return TileEnsemble(field, field, field[0, 0])

    monkeypatch.setattr("forecast.evaluation.cases.pairs.forecast_tile", broken)
    methods = [
        shifted("landcast", 3),
        tile_forecaster("broken", tiny_model, ALONE, None, members=2, seed=0),
    ]
    with pytest.raises(ModelFolderError, match="broken"):
        run(index, methods, chosen=np.arange(3))


def test_equal_methods_are_neither_better_nor_worse(index: PairIndex) -> None:
    names = [f"twin {i}" for i in range(40)]
    methods = [shifted(name, 3, stream=i, members=2) for i, name in enumerate(names)]
    many = np.flatnonzero(index.dataset == "many")
    sums = run(index, [*methods, CaseMethod("same", methods[0].forecast)], chosen=many)

    def compared(*pair: str) -> Comparison:
        two = EvaluationSums(sums.pairs, {k: row for k, row in sums.sums.items() if k[1] in pair})
        whole = sections(two, STATISTICS, seed=2, resamples=400)[0]
        return whole.comparisons[0]

    pairs = [compared(*names[i : i + 2]) for i in range(0, len(names), 2)]
    # One in twenty intervals leaves out zero, and somewhat more with nine places.
    assert sum(one.verdict("crps") == "" for one in pairs) >= 16
    assert all(one.difference["crps"].low < one.difference["crps"].high for one in pairs)
    same = compared("twin 0", "same")
    assert same.difference["crps"].low == same.difference["crps"].high == 0
    assert same.verdict("crps") == ""


def test_what_is_better_is_called_better(index: PairIndex) -> None:
    methods = [shifted("landcast", 3), shifted("far", 12, stream=1)]
    comparison = in_all(run(index, methods))["many", "all"].comparisons[0]
    for name in ("crps", "rmse"):
        assert comparison.verdict(name) == "better"
        assert comparison.skill[name].low > 0
    turned = in_all(run(index, methods[::-1]))["many", "all"].comparisons[0]
    assert turned.verdict("crps") == "worse"


def test_sections_and_their_pairs(index: PairIndex) -> None:
    table = in_all(run(index, [shifted("landcast", 3), shifted("other", 8)]))
    assert {key: s.pairs for key, s in table.items()} == {
        ("many", "all"): 27,
        ("many", "2"): 9,
        ("many", "3-4"): 9,
        ("many", "5-8"): 9,
        ("one", "all"): 24,
        ("one", "2"): 8,
        ("one", "3-4"): 8,
        ("one", "5-8"): 8,
        ("all", "all"): 51,
        ("all", "2"): 17,
        ("all", "3-4"): 17,
        ("all", "5-8"): 17,
    }
    few = table["one", "all"]
    assert few.units == 2 < LEAST_UNITS
    assert math.isnan(few.methods[0].scores["crps"].low)
    assert few.comparisons[0].verdict("crps") == ""
    # Eleven units in all, but two of one dataset: its share of the error is not known.
    assert table["all", "all"].units == 11
    assert math.isnan(table["all", "all"].methods[0].scores["crps"].low)
    assert table["all", "all"].comparisons[0].verdict("crps") == ""
    assert math.isfinite(table["many", "all"].methods[0].scores["crps"].low)
    # All tiles are whole, so the score of all is the mean over pairs.
    parts = [table[name, "all"].methods[0].scores["crps"].value for name in ("many", "one")]
    whole = table["all", "all"].methods[0].scores["crps"].value
    assert whole == pytest.approx(np.average(parts, weights=[27, 24]))


def test_intervals_equal_a_bootstrap_by_hand(index: PairIndex) -> None:
    methods = [shifted("landcast", 3, noise=12), shifted("other", 4, noise=12, stream=1)]
    section = in_all(run(index, methods))["many", "all"]
    chosen = np.flatnonzero(index.dataset == "many")
    cases = list(pair_cases(index, chosen, split="val"))
    rows = [np.stack([Harm().sums(m.forecast(c), c) for c in cases]) for m in methods]
    places = [np.flatnonzero(index.place[chosen] == p) for p in np.unique(index.place[chosen])]
    gaps = []
    for draw in draw_units(9, seed=2, name="many", resamples=400):
        picked = np.repeat(np.arange(9), draw.astype(int))
        pairs = np.concatenate([places[i] for i in picked])
        ours, theirs = (Harm().scores(r[pairs].sum(axis=0))["rmse"] for r in rows)
        gaps.append(float(ours - theirs))
    found = section.comparisons[0].difference["rmse"]
    expected = np.quantile(gaps, [0.025, 0.975], method="nearest")
    assert [found.low, found.high] == pytest.approx(expected.tolist(), rel=1e-4)


def test_draws_are_repeatable_and_fair() -> None:
    draws = draw_units(7, seed=1, name="a", resamples=3000)
    assert (draws.sum(axis=1) == 7).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(7), abs=5 / math.sqrt(3000))
    np.testing.assert_array_equal(draw_units(7, seed=1, name="a", resamples=3000), draws)
    assert (draw_units(7, seed=1, name="b", resamples=3000) != draws).any()


def test_intervals_cover_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for i in range(400):
        sample = rng.normal(3, 1, 40)
        draws = draw_units(40, seed=i, name="x", resamples=400)
        found = estimate(sample.mean(), draws @ sample / 40, 40)
        hits += found.low <= 3 <= found.high
    # Percentile intervals of 40 units cover a little less than 95 %.
    assert 0.91 < hits / 400 < 0.975


def test_intervals_need_units_and_known_values() -> None:
    values = np.linspace(-1, 1, 400)
    assert math.isnan(estimate(0.0, values, LEAST_UNITS - 1).low)
    some = np.where(np.arange(400) < 30, np.nan, values)
    assert math.isnan(estimate(0.0, some, 9).low)
    assert estimate(0.0, values, 9).sign == 0
    assert estimate(2.0, values + 2, 9).sign == 1
    assert estimate(-2.0, values - 2, 9).sign == -1
    never = np.where(values > 0, np.inf, 4.0)
    assert estimate(4.0, never, 9).high == np.inf


def test_methods_must_be_told_apart_and_keep_their_size(index: PairIndex) -> None:
    with pytest.raises(ValueError, match="different names"):
        run(index, [shifted("a", 0), shifted("a", 0)])
    rows = EvaluationSums()
    rows.add([Group("a", 0, "b", ("c",))], "c", "ranks", np.ones((1, 3)))
    with pytest.raises(ValueError, match="one size"):
        rows.add([Group("a", 0, "b", ("c",))], "c", "ranks", np.ones((1, 4)))
