"""The shipped classifier of lasting change, and how one is learnt."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from benchmarks.labelling.examples import Example, KnownSeries, draw_example
from benchmarks.labelling.learning import (
    Fitting,
    calibrate_classifier,
    logits_of,
    train_classifier,
)
from preprocessing.lasting_change import DatedCells, label_pair, label_start
from preprocessing.lasting_change.classifier import ChangeClassifier
from preprocessing.lasting_change.features import FEATURES
from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.world import simulate_world


@lru_cache(maxsize=1)
def unseen_world() -> KnownSeries:
    """A small world of a seed that training does not use, seasons at full strength."""
    world = simulate_world(WorldConfig(height=160, width=160, years=12, seed=77_001, seasons=1.0))
    return KnownSeries(
        np.arange(12.0),
        np.stack([raster.encoding.encode(raster.data) for raster in world.rasters]),
        np.stack([raster.valid for raster in world.rasters]),
        np.stack(world.covers),
    )


def test_classifier_ranks_better_than_the_rule_on_an_unseen_world() -> None:
    network, rng = ChangeClassifier.load(), np.random.default_rng(0)
    palettes = ("own", "mixed", "curved")
    found = [draw_example(unseen_world(), rng, palette, n) for palette in palettes for n in (2, 3)]
    changed = np.concatenate([example.changed[example.known] for example in found])
    logits = np.concatenate([logits_of(network, example) for example in found])
    rule = np.concatenate([example.difference[example.known] for example in found])
    assert average_precision_score(changed, logits) > average_precision_score(changed, rule) + 0.1
    expected = network.calibrated(logits).mean()
    assert changed.mean() / 3 < expected < 3 * changed.mean()


def test_labels_know_no_order_of_bands() -> None:
    world = unseen_world()
    swapped = replace(world, images=world.images[:, [1, 2, 0]])
    first, second = label_pair(world, 4, 7), label_pair(swapped, 4, 7)
    assert np.abs(first - second).max() < 0.05


def test_labels_are_unknown_without_two_dates_on_either_side() -> None:
    world = unseen_world()
    valid = world.valid.copy()
    valid[:, :40] = False
    valid[[2, 3], :40] = True
    valid[8, :40] = True  # one date after is not enough
    valid[9, :20] = True
    found = label_pair(replace(world, valid=valid), 3, 7)
    assert np.isfinite(found[:5]).all()
    assert np.isnan(found[5:10]).all()
    assert np.isfinite(found[10:]).all()
    assert np.isnan(label_pair(world, 0, 5)).all()
    assert np.isnan(label_pair(world, 5, 11)).all()
    with pytest.raises(ValueError, match="start before its target"):
        label_pair(world, 5, 5)


def test_many_targets_are_labelled_as_one_by_one() -> None:
    world = unseen_world()
    found = dict(label_start(DatedCells.of_place(world), 4, [5, 7]))
    for target, label in found.items():
        assert np.abs(label - label_pair(world, 4, target)).max() < 1e-5


def made_example(seed: int) -> Example:
    """One feature tells, the others are noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(len(FEATURES), 16, 16)).astype(np.float32)
    changed = features[3] + 0.5 * rng.normal(size=(16, 16)) > 1
    known = rng.random((16, 16)) < 0.9
    return Example(features, changed, known, features[0], 1.0)


def test_training_finds_what_tells() -> None:
    torch.set_num_threads(1)
    fitting = Fitting(passes=30, learning_rate=0.02, width=8)
    network = train_classifier([made_example(k) for k in range(32)], fitting)
    test = [made_example(k) for k in range(100, 110)]
    logits = np.concatenate([logits_of(network, example) for example in test])
    changed = np.concatenate([example.changed[example.known] for example in test])
    assert average_precision_score(changed, logits) > 0.6  # 0.19 by chance


def test_calibration_recovers_temperature_and_offset() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(-1, 2, 40_000)
    changed = rng.random(truth.size) < 1 / (1 + np.exp(-truth))
    network = ChangeClassifier(width=4)
    calibrate_classifier(network, ((truth - 0.5) * 2).astype(np.float32), changed)
    assert network.config.temperature == pytest.approx(2, rel=0.05)
    assert network.config.offset == pytest.approx(0.5, abs=0.06)
