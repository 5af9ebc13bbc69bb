"""Training of the forecaster."""

from __future__ import annotations

import json
import math
import multiprocessing
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing import event_accumulator

from forecast.baselines import DressedPersistence
from forecast.colours import LandColours
from forecast.patches import to_low
from forecast.pretrained import load_model, weights_sha256
from forecast.training import loop
from forecast.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from forecast.training.config import TrainingConfig
from forecast.training.data import Batch
from forecast.training.export import export_model
from forecast.training.loop import train_forecast
from forecast.training.objective import first_step, training_loss
from forecast.unet import ForecastUNet
from preprocessing.errors import (
    DivergedError,
    ModelFolderError,
    OutputExistsError,
    PairStoreError,
)
from preprocessing.journal import Journal
from tests.training_cases import TINY, make_store


def event_steps(run: Path) -> list[int]:
    """Steps of the loss that TensorBoard shows."""
    events = event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    return [event.step for event in events.Scalars("loss")]


def losses(run: Path) -> list[dict[str, float]]:
    """The journal's entries, but for how long they took."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{key: entry[key] for key in entry if key != "seconds"} for entry in entries]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(folder, device=torch.device("cpu")).state_dict())


@pytest.mark.parametrize(
    ("killed_at", "options"),
    [
        (
            6,
            {
                "objective": "crps",
                "object_scales": (20.0, 60.0),
                "rollout_share": 0.5,
                "resolution_condition": True,
            },
        ),
        (
            7,
            {"objective": "velocity", "sampling_steps": 3, "condition_dropout": 0.5, "patience": 9},
        ),
        (4, {"objective": "mean"}),
        (
            5,
            {
                "objective": "crps",
                "object_scales": (20.0,),
                "part_scale": 6.0,
                "regional_noise": 4,
                "rollout_share": 0.5,
                "output_size": 64,
            },
        ),
    ],
)
def test_stopped_run_resumes_to_the_same_weights_and_losses(
    tmp_path: Path, killed_at: int, options: dict[str, Any]
) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    # Checkpoints fall between entries of the journal.
    config = replace(TINY, **options, seed=5, log_every=2, checkpoint_every=3)
    train_forecast([store], tmp_path / "whole", config)

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if done == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        train_forecast([store], tmp_path / "parts", config, progress=kill)
    train_forecast([store], tmp_path / "parts", config, resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert event_steps(tmp_path / "parts") == [2, 4, 6, 8]
    log = losses(tmp_path / "whole")
    assert log == losses(tmp_path / "parts")
    assert [entry["step"] for entry in log] == [2, 4, 6, 8]
    assert [entry["step"] for entry in log if "validation" in entry] == [4, 8]
    assert {"loss", "gradient_norm", "learning_rate"} < set(log[0])
    assert {"landcast", "persistence", "dressed persistence"} == set(log[1]["validation"]["toy"])


def run_to_be_killed(store: Path, out: Path, config: TrainingConfig) -> None:
    train_forecast([store], out, config)


def test_a_process_killed_at_any_moment_goes_on_with_the_same_losses(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    config = replace(TINY, steps=40, log_every=1, validate_every=40, checkpoint_every=3)
    process = multiprocessing.get_context("spawn").Process(
        target=run_to_be_killed, args=(store, tmp_path / "parts", config)
    )
    process.start()
    log, deadline = tmp_path / "parts/log.jsonl", time.monotonic() + 120
    while not (log.is_file() and len(log.read_bytes().splitlines()) > 5):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join()
    before = [json.loads(line)["step"] for line in log.read_text().splitlines()[:5]]
    assert process.exitcode == -signal.SIGKILL
    assert before == [1, 2, 3, 4, 5]
    train_forecast([store], tmp_path / "parts", config, resume=True)
    train_forecast([store], tmp_path / "whole", config)
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert [entry["step"] for entry in whole] == list(range(1, 41))
    # The other process may have had another number of threads.
    assert [entry["loss"] for entry in parts] == pytest.approx([e["loss"] for e in whole], rel=1e-3)
    after = [entry["loss"] for entry in parts[:2]]
    assert after[0] != after[1]


def test_training_learns_a_simple_change(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    config = replace(
        TINY,
        steps=60,
        batch_size=4,
        learning_rate=2e-3,
        validate_every=60,
        ema_decay=0.9,
        checkpoint_every=60,
        colour_jitter=0.0,
        horizon_power=0.0,
    )
    train_forecast([store], tmp_path / "run", config)
    entry = json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[-1])
    scores = entry["validation"]["toy"]
    # An untrained network is worse than persistence; this one has seen 60 small batches.
    assert scores["landcast"]["rmse"] < 0.75 * scores["persistence"]["rmse"]


def test_second_stage_starts_from_the_first(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    first = train_forecast([store], tmp_path / "first", TINY)
    still = replace(TINY, steps=1, learning_rate=1e-12, weight_decay=0.0, seed=3)
    second = train_forecast([store], tmp_path / "second", still, init=str(first))
    before, after = weights(first), weights(second)
    assert all(torch.allclose(before[name], after[name], atol=1e-3) for name in before)
    facts = json.loads((second / "training.json").read_text())
    assert facts["init_sha256"] == weights_sha256(first)
    assert load_model(second).config.target_scale == load_model(first).config.target_scale
    # A recipe may ask for more than the parent knows, which at first changes nothing, not for less.
    more = replace(still, resolution_condition=True)
    third = train_forecast([store], tmp_path / "more", more, init=str(first))
    after = weights(third)
    assert all(torch.allclose(before[name], after[name], atol=1e-3) for name in before)
    assert len(after) > len(before)
    with pytest.raises(ModelFolderError, match="it drops"):
        train_forecast([store], tmp_path / "less", still, init=str(third))
    wide = replace(TINY, block_out_channels=(32, 32))
    with pytest.raises(ModelFolderError, match="block_out_channels"):
        train_forecast([store], tmp_path / "third", wide, init=str(first))
    with pytest.raises(ModelFolderError, match="output_size = 64"):
        train_forecast([store], tmp_path / "finer", replace(TINY, output_size=64), init=str(first))


def test_training_stops_when_it_gets_no_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of the validations is exported, here the second."""
    crps = iter([0.9, 0.5, 0.6, 0.7, 0.1])
    exported: dict[int, dict[str, torch.Tensor]] = {}

    def scores(model: ForecastUNet, *args: Any, **options: Any) -> dict[str, Any]:
        exported[len(exported)] = {k: v.clone().half() for k, v in model.state_dict().items()}
        return {"toy": {"landcast": {"crps": next(crps)}, "dressed persistence": {"crps": 1.0}}}

    monkeypatch.setattr(loop, "score_tiles", scores)
    monkeypatch.setattr(loop, "score_table", str)
    store = make_store(tmp_path / "pairs.zarr")
    config = replace(TINY, steps=20, validate_every=2, patience=2)
    train_forecast([store], tmp_path / "run", config)
    facts = json.loads((tmp_path / "run/training.json").read_text())
    assert (facts["steps_done"], facts["exported_step"]) == (8, 4)
    shipped = weights(tmp_path / "run")
    assert all(torch.equal(shipped[name].half(), value) for name, value in exported[1].items())
    assert not all(torch.equal(shipped[name].half(), v) for name, v in exported[3].items())


def test_an_export_that_fails_leaves_the_model_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    run = train_forecast([store], tmp_path / "run", TINY)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    state = load_checkpoint(run)
    state["ema"]["shadow_params"] = [value + 1 for value in state["ema"]["shadow_params"]]
    save_checkpoint(run, state)
    dressed, colours = DressedPersistence.load(run), LandColours.load(run)
    assert colours is not None

    def fail(self: DressedPersistence, folder: Path) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(DressedPersistence, "save", fail)
        with pytest.raises(OSError, match="disk full"):
            export_model(run, run, dressed=dressed, colours=colours, pairs={})
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after[name]} == {CHECKPOINT}
    assert not list(run.glob(".export*"))
    export_model(run, run, dressed=dressed, colours=colours, pairs={"toy": 8})
    assert (run / "diffusion_pytorch_model.safetensors").read_bytes() != before[
        "diffusion_pytorch_model.safetensors"
    ]


def test_refusals(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    train_forecast([store], tmp_path / "run", TINY)
    with pytest.raises(OutputExistsError, match="--resume"):
        train_forecast([store], tmp_path / "run", TINY)
    other_files = tmp_path / "model"
    other_files.mkdir()
    (other_files / "calibration.json").write_text("{}")
    with pytest.raises(OutputExistsError, match="a folder that holds files"):
        train_forecast([store], other_files, TINY)
    with pytest.raises(OutputExistsError, match=r"calibration\.json is a file"):
        train_forecast([store], other_files / "calibration.json", TINY)
    assert [path.name for path in other_files.iterdir()] == ["calibration.json"]
    with pytest.raises(ModelFolderError, match="another configuration"):
        train_forecast([store], tmp_path / "run", replace(TINY, seed=9), resume=True)
    with pytest.raises(ModelFolderError, match="without --resume"):
        train_forecast([store], tmp_path / "new", TINY, resume=True)
    assert not (tmp_path / "new").exists()
    other = make_store(tmp_path / "other.zarr", 14)
    with pytest.raises(ModelFolderError, match="other pairs"):
        train_forecast([other], tmp_path / "run", TINY, resume=True)
    with pytest.raises(PairStoreError, match="found none"):
        train_forecast([tmp_path / "nothing.zarr"], tmp_path / "new", TINY)


def test_a_first_step_moves_only_pairs_that_have_time_for_two() -> None:
    model = TINY.build(target_scale=0.1, horizon_years=(1, 4), gsd_m=(10, 10))
    past = torch.full((2, 3, 128, 128), 0.5)
    generator = torch.Generator().manual_seed(0)
    moved, picture = first_step(
        model, past, torch.tensor([0.0, 2.0]), torch.full((2,), 10.0), generator
    )
    assert float(moved[0].abs().max()) == 0
    assert torch.equal(picture[0], past[0])
    assert float(moved[1].abs().max()) > 0
    # The picture carries the change on: its block means follow, up to the smooth interpolation.
    change = to_low(picture - past)[1] / model.config.target_scale
    assert float(torch.corrcoef(torch.stack([change.flatten(), moved[1].flatten()]))[0, 1]) > 0.8


def test_a_rollout_is_scored_by_where_it_ends() -> None:
    """A model that always answers zero has the same loss whether it takes one step or two."""
    model = TINY.build(target_scale=0.1, horizon_years=(1, 4), gsd_m=(10, 10))
    torch.nn.init.zeros_(model.unet.conv_out.weight)
    torch.nn.init.zeros_(model.unet.conv_out.bias)
    generator = torch.Generator().manual_seed(0)
    past = torch.rand((2, 3, 128, 128), generator=generator)
    batch = Batch.of(
        past,
        past.flip(3),
        torch.ones(2, 1, 128, 128),
        torch.tensor([1.0, 4.0]),
        torch.full((2,), 10.0),
    )
    losses = [
        float(training_loss(model, batch, replace(TINY, rollout_share=share), 0).detach())
        for share in (0.0, 1.0)
    ]
    assert losses[0] == pytest.approx(losses[1])
    torch.nn.init.constant_(model.unet.conv_out.bias, 1.0)
    moved = [
        float(training_loss(model, batch, replace(TINY, rollout_share=share), 0).detach())
        for share in (0.0, 1.0)
    ]
    # Two steps of one each end at two where there is time for two.
    assert moved[0] != pytest.approx(moved[1])


def test_training_that_diverges_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_MOST_SKIPPED", 3)
    store = make_store(tmp_path / "pairs.zarr")
    with pytest.raises(DivergedError, match="learning_rate"):
        train_forecast([store], tmp_path / "run", replace(TINY, learning_rate=1e30))


def test_a_journal_goes_on_after_a_line_that_was_cut(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"ste')
    Journal(tmp_path, 1).write({"step": 2, "loss": math.nan})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1}, {"step": 2, "loss": None}]
