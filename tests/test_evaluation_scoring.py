from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from forecast.baselines import DressedPersistence, linear_trend
from forecast.evaluation.bootstrap import LEAST_UNITS, draw_units, estimate
from forecast.evaluation.cases import Cases
from forecast.evaluation.history import earlier_pairs
from forecast.evaluation.methods import Method, baselines, forecaster
from forecast.evaluation.ranks import RankHistogram
from forecast.evaluation.resampling import resampling_units
from forecast.evaluation.results import Comparison, Section, sections
from forecast.evaluation.scoring import Scored, all_statistics, score_methods
from forecast.evaluation.sums import EvaluationSums, Group
from forecast.evaluation.values import ValueScores
from forecast.horizons import HORIZON_NAMES, horizon_class
from forecast.unet import ForecastUNet
from preprocessing.errors import ModelFolderError
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore
from tests.conftest import picture

DATES = ("2010-01-01", "2012-01-01", "2015-01-01")


def place_pairs(
    dataset: str, place: str, seed: int, *, position: tuple[int, int] = (0, 0)
) -> Pairs:
    """Three dates of one tile as three pairs; each date is 10 levels brighter in one quarter."""
    images = [picture(128, 128, seed=seed).clip(0, 200)]
    for _ in range(2):
        later = images[-1].copy()
        later[:, :64, :64] += 10
        images.append(later)
    chosen = ((0, 1), (1, 2), (0, 2))
    years = np.array([DATES[j].split("-")[0] for j in range(3)], float)
    n = len(chosen)
    return Pairs(
        past=np.stack([images[i] for i, _ in chosen]),
        future=np.stack([images[j] for _, j in chosen]),
        valid=np.ones((n, 128, 128), bool),
        years=np.array([years[j] - years[i] for i, j in chosen], np.float32),
        gsd_m=np.full(n, 10, np.float32),
        row=np.full(n, position[0], np.int32),
        col=np.full(n, position[1], np.int32),
        split=np.ones(n, np.uint8),
        source=np.array([f"{dataset}/{place}/{DATES[i]}/{DATES[j]}" for i, j in chosen]),
    )


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
    name: str, offset: float, *, noise: float = 0.02, members: int = 4, stream: int = 0
) -> Method:
    """An ensemble around the truth; methods of one stream have the same noise."""

    def forecast(cases: Cases, seed: int) -> Tensor:
        fields = [
            torch.from_numpy(g.normal(offset, noise, (members, *cases.low.shape[1:])))
            for g in cases.generators(seed, stream)
        ]
        return cases.difference + torch.stack(fields, dim=1).float()

    return Method(name, forecast)


def run(index: PairIndex, methods: list[Method], **options) -> Scored:
    chosen = options.pop("chosen", np.arange(len(index)))
    statistics = options.pop("statistics", [ValueScores()])
    return score_methods(index, chosen, methods, statistics, seed=1, **options)


def in_all(scored: Scored, *, resamples: int = 400) -> dict[tuple[str, str], Section]:
    found = sections(scored.sums, [ValueScores()], seed=2, resamples=resamples)
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


def test_earlier_dates_end_at_the_past_on_the_same_tile(index: PairIndex) -> None:
    found = earlier_pairs(index)
    # Of three pairs of a tile only the second starts where another ends.
    expected = np.full(len(index), -1)
    expected[1::3] = np.arange(0, len(index), 3)
    np.testing.assert_array_equal(found, expected)


def test_the_trend_goes_on_at_its_pace(index: PairIndex) -> None:
    methods = [shifted("landcast", 0), Method("trend", lambda c, _: _trend(c))]
    scored = run(index, methods)
    table = in_all(scored)["all", "all"]
    trend = table.methods[1]
    assert trend.pairs == 17
    # 10 levels in 2 years are 15 in 3; the truth is 10 more in a quarter of the tile.
    assert trend.scores["crps"].value * 255 == pytest.approx(5 / 4, rel=1e-3)
    assert table.comparisons[0].pairs == 17


def _trend(cases: Cases) -> Tensor:
    return linear_trend(cases.low, cases.trend, cases.years)


def test_a_trend_stays_within_the_range() -> None:
    low = torch.full((1, 3, 2, 2), 0.9)
    found = linear_trend(low, torch.full_like(low, 0.1), torch.tensor([5.0]))
    torch.testing.assert_close(found[0], torch.full_like(low, 0.1))


def test_other_ground_gives_no_trend(tmp_path: Path) -> None:
    store = PairStore.create(tmp_path / "a.zarr")
    pairs = place_pairs("a", "b", 0)
    moved = np.roll(pairs.past, 40, axis=3)
    store.append(pairs.take(np.array([0])))
    other = pairs.take(np.array([1]))
    object.__setattr__(other, "past", moved[1:2])
    store.append(other)
    index = PairIndex.of([tmp_path / "a.zarr"], "val")
    assert earlier_pairs(index).tolist() == [-1, 0]
    scored = run(index, [shifted("landcast", 0), Method("trend", lambda c, _: _trend(c))])
    assert scored.sums.methods() == ["landcast"]


def test_scores_do_not_depend_on_batch_or_order_and_merge(index: PairIndex) -> None:
    dressed = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 1}
    table = DressedPersistence(({**dressed, "quantiles": np.linspace(-0.1, 0.1, 401).tolist()},))
    methods = [shifted("landcast", 0.01), *baselines(table, members=3)]
    order = np.random.default_rng(0).permutation(len(index))[:14]
    every = {"statistics": all_statistics(seed=1)}
    whole = run(index, methods, batch_size=51, chosen=np.sort(order), **every)
    same_sums(whole.sums, run(index, methods, batch_size=4, chosen=order, **every).sums)
    parts = [run(index, methods, chosen=part, **every).sums for part in (order[:6], order[6:])]
    same_sums(whole.sums, parts[0] + parts[1])
    same_sums(whole.sums, parts[1] + parts[0])
    assert whole.members == {
        "landcast": 4,
        "persistence": 1,
        "dressed persistence": 3,
        "linear trend": 1,
    }


def test_a_network_gets_the_noise_of_the_pair(index: PairIndex, tiny_model: ForecastUNet) -> None:
    method = forecaster("landcast", tiny_model, members=3)
    cases = Cases.of(index.read(np.array([0, 30, 5])))
    together = method.members(cases, 4)
    assert together.shape == (3, 3, 3, 32, 32)
    assert float(together.std(dim=0).mean()) > 0
    torch.testing.assert_close(
        method.members(cases.take(torch.tensor([1])), 4)[:, 0], together[:, 1], rtol=0, atol=1e-5
    )
    assert (method.members(cases, 5) - together).abs().max() > 1e-3


def test_a_network_without_noise_gives_one_member(index: PairIndex) -> None:
    model: ForecastUNet = ForecastUNet(
        block_out_channels=(16, 32), layers_per_block=1, objective="mean"
    ).eval()
    cases = Cases.of(index.read(np.arange(2)))
    assert forecaster("still", model, members=4).members(cases, 0).shape == (1, 2, 3, 32, 32)


def test_an_ensemble_keeps_its_size_where_members_agree(
    index: PairIndex, tiny_model: ForecastUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its size would depend on which pairs are in a batch."""

    def predict(model, past, years, gsd_m, *, members, seed, history):
        spread = torch.randn(members, len(past), 3, 32, 32) * float(years[0] > 2)
        return spread + past.mean()

    monkeypatch.setattr("forecast.evaluation.methods.predict_tiles", predict)
    method = forecaster("some", tiny_model, members=4)
    cases = Cases.of(index.read(np.arange(2)))
    assert cases.years.tolist() == [2, 3]
    for part in ([0], [1], [0, 1]):
        assert len(method.members(cases.take(torch.tensor(part)), 0)) == 4


def test_a_network_that_answers_nan_is_refused_not_left_out(
    index: PairIndex, tiny_model: ForecastUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(model, past, years, gsd_m, *, members, seed, history):
        return torch.full((members, len(past), 3, 32, 32), torch.nan if years[0] > 2 else 0.1)

    monkeypatch.setattr("forecast.evaluation.methods.predict_tiles", predict)
    methods = [shifted("landcast", 0.01), forecaster("broken", tiny_model, members=2)]
    with pytest.raises(ModelFolderError, match="broken"):
        run(index, methods, chosen=np.arange(3))


def test_equal_methods_are_neither_better_nor_worse(index: PairIndex) -> None:
    names = [f"twin {i}" for i in range(40)]
    methods = [shifted(name, 0.01, stream=i, members=2) for i, name in enumerate(names)]
    many = np.flatnonzero(index.dataset == "many")
    sums = run(index, [*methods, Method("same", methods[0].members)], chosen=many).sums

    def compared(*pair: str) -> Comparison:
        two = EvaluationSums(sums.pairs, {k: row for k, row in sums.sums.items() if k[1] in pair})
        whole = sections(two, [ValueScores()], seed=2, resamples=400)[0]
        return whole.comparisons[0]

    pairs = [compared(*names[i : i + 2]) for i in range(0, len(names), 2)]
    # One in twenty intervals leaves out zero, and somewhat more with nine places.
    assert sum(one.verdict("crps") == "" for one in pairs) >= 16
    assert all(one.difference["crps"].low < one.difference["crps"].high for one in pairs)
    same = compared("twin 0", "same")
    assert same.difference["crps"].low == same.difference["crps"].high == 0
    assert same.verdict("crps") == ""


def test_what_is_better_is_called_better(index: PairIndex) -> None:
    methods = [shifted("landcast", 0.01), shifted("far", 0.05, stream=1)]
    comparison = in_all(run(index, methods))["many", "all"].comparisons[0]
    for name in ("crps", "rmse"):
        assert comparison.verdict(name) == "better"
        assert comparison.skill[name].low > 0
    turned = in_all(run(index, methods[::-1]))["many", "all"].comparisons[0]
    assert turned.verdict("crps") == "worse"
    assert comparison.difference["bias"].sign == -1
    assert comparison.verdict("bias") == ""  # Neither way is better.


def test_sections_and_their_pairs(index: PairIndex) -> None:
    table = in_all(run(index, [shifted("landcast", 0.01), shifted("other", 0.03)]))
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
    methods = [shifted("landcast", 0.01, noise=0.05), shifted("other", 0.012, noise=0.05, stream=1)]
    section = in_all(run(index, methods))["many", "all"]
    chosen = np.flatnonzero(index.dataset == "many")
    cases = Cases.of(index.read(chosen))
    rows = [ValueScores().sums(m.members(cases, 1), cases) for m in methods]
    places = [np.flatnonzero(index.place[chosen] == p) for p in np.unique(index.place[chosen])]
    gaps = []
    for draw in draw_units(9, seed=2, name="many", resamples=400):
        picked = np.repeat(np.arange(9), draw.astype(int))
        pairs = np.concatenate([places[i] for i in picked])
        ours, theirs = (ValueScores().scores(r[pairs].sum(axis=0))["rmse"] for r in rows)
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


def test_methods_must_be_told_apart_and_complete(index: PairIndex) -> None:
    with pytest.raises(ValueError, match="different names"):
        run(index, [shifted("a", 0), shifted("a", 0)])
    with pytest.raises(ValueError, match="every pair"):
        run(index, [Method("gaps", lambda c, _: c.trend[None])])
    with pytest.raises(ValueError, match="shape"):
        run(index, [Method("flat", lambda c, _: c.low)])

    for again in (0, 1):  # The same group of sums, or another one.
        sizes, ranks = iter([2, 3]), [RankHistogram(seed=0)]
        uneven = Method("uneven", lambda c, _, sizes=sizes: torch.zeros(next(sizes), *c.low.shape))
        with pytest.raises(ValueError, match="one size"):
            run(index, [uneven], chosen=np.array([0, again]), batch_size=1, statistics=ranks)
    rows = EvaluationSums()
    rows.add([Group("a", 0, "b", ("c",))], "c", "ranks", np.ones((1, 3)))
    with pytest.raises(ValueError, match="one size"):
        rows.add([Group("a", 0, "b", ("c",))], "c", "ranks", np.ones((1, 4)))


def test_examples_are_chosen_by_seed_and_show_the_forecast(index: PairIndex) -> None:
    scored = run(index, [shifted("landcast", 0.1, noise=0)])
    assert len(scored.examples) == 6
    again = run(index, [shifted("landcast", -0.1, noise=0)], batch_size=3)
    assert [e.source for e in again.examples] == [e.source for e in scored.examples]
    example = scored.examples[0]
    blocks = example.truth.astype(float).reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(example.mean, (blocks + 25.5).clip(0, 255), atol=1)
    np.testing.assert_array_equal(example.members[0], example.mean)
    assert example.spread.max() < 1e-6
