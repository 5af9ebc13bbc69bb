"""Earlier dates as a condition: chains of pairs, tones, training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from forecast.ensemble import predict_tiles
from forecast.history import History
from forecast.pair_history import NONE, find_chains, history_of
from forecast.patches import to_low
from forecast.pretrained import load_model
from forecast.region import EarlierImage
from forecast.rollout import rollout
from forecast.training.begin import first_model
from forecast.training.config import TrainingConfig
from forecast.training.data import PairData
from forecast.training.loop import train_forecast
from preprocessing.errors import (
    ModelFolderError,
)
from preprocessing.pairs import Pairs
from tests.conftest import picture
from tests.history_cases import history_model, index_of, pairs_of


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

        def colours(self, start):  # type: ignore[no-untyped-def]
            return None

        def step(self, state, result, key, *, history, carried, **_):  # type: ignore[no-untyped-def]
            result[:] = state + 9  # A year of its own, which is not seen again.
            carried[:] = state + 1
            seen[key.year] = [(float(earlier.image.mean()), earlier.years) for earlier in history]

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
