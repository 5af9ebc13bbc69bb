"""The command line: arguments reach the workflow, errors become one sentence and a code."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from fake_results import GRID, make_result, write
from pictures import picture

from app.cli.entry import run
from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.scores.request import EvaluationRequest
from preprocessing.errors import DateError
from preprocessing.pairs.store import PairStore


@pytest.fixture
def workflows(monkeypatch, tmp_path):
    """The workflows replaced by functions that note what they were asked."""
    calls = []

    def forecast_region(request, *, progress=None):
        calls.append(("forecast", request))
        progress("forecasting", 1, 2)
        return ForecastFolder.open(make_result(tmp_path / "made"))

    def evaluate(request, *, progress=None):
        calls.append(("evaluate", request))
        report = tmp_path / "report.md"
        report.write_text("# Scores\n")
        return report

    def trainer(kind):
        def train(stores, out, config, *, resume, init=None, minutes=None, progress=None):
            calls.append((kind, stores, out, config, resume, init))
            return out

        return train

    fake = SimpleNamespace(
        EvaluationRequest=EvaluationRequest,
        ForecastRequest=ForecastRequest,
        default_workers=lambda: 1,
        forecast_region=forecast_region,
        evaluate=evaluate,
        train_forecast=trainer("train forecast"),
        train_sr=trainer("train sr"),
    )
    monkeypatch.setitem(sys.modules, "app.workflows", fake)
    monkeypatch.setitem(sys.modules, "app.training.forecast", fake)
    return SimpleNamespace(calls=calls, module=fake)


def one_line(capsys):
    """The only line on stderr."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_forecast_passes_every_option(workflows, capsys):
    arguments = (
        "forecast q.tif r.tif --out o --year 2016 --years 3 --members 4 --seed 7 --model m "
        "--steps 1 --workers 3 --save-members --save-observations --overwrite --bands 3,2,1 "
        "--value-range 0,3000 --max-memory 6.5GB"
    )
    assert run(arguments.split()) == 0
    wanted = ForecastRequest(
        (Path("q.tif"), Path("r.tif")),
        Path("o"),
        years=3,
        members=4,
        seed=7,
        year=2016,
        model="m",
        steps=1,
        workers=3,
        max_memory=6_500_000_000,
        save_members=True,
        save_observations=True,
        overwrite=True,
        bands=(3, 2, 1),
        value_range=(0.0, 3000.0),
    )
    assert workflows.calls == [("forecast", wanted)]
    out = capsys.readouterr().out
    assert "2021 to 2023, 4 members, seed 7, model tiny" in out
    assert "made" in out.splitlines()[-1]


def test_forecast_defaults_are_the_workflows_own(workflows):
    assert run(["forecast", "r.tif", "--out", "o", "--resume"]) == 0
    wanted = ForecastRequest((Path("r.tif"),), Path("o"), resume=True)
    assert workflows.calls == [("forecast", wanted)]


@pytest.mark.parametrize("kind", ["forecast", "sr"])
def test_train(workflows, kind):
    arguments = f"train {kind} a.zarr b.zarr --out m --config c.toml --resume --init x"
    assert run(arguments.split()) == 0
    assert workflows.calls == [
        (f"train {kind}", ["a.zarr", "b.zarr"], Path("m"), Path("c.toml"), True, "x")
    ]


def test_evaluate_shows_the_report(workflows, capsys):
    arguments = (
        "evaluate m a.zarr --out o --pairs 9 --members 4 --split test --against x --against y "
        "--seed 3 --perceptual-weights w.pth --alpha 0.5 --dates 1,8"
    )
    assert run(arguments.split()) == 0
    wanted = EvaluationRequest(
        "m",
        ["a.zarr"],
        Path("o"),
        pairs=9,
        members=4,
        split="test",
        against=["x", "y"],
        seed=3,
        perceptual_weights=Path("w.pth"),
        alpha=0.5,
        dates=(1, 8),
    )
    assert workflows.calls == [("evaluate", wanted)]
    assert capsys.readouterr().out.startswith("# Scores")


def test_demo_prints_table_and_folder(monkeypatch, capsys):
    asked = {}

    def run_demo(out, **options):
        asked.update(options, out=out)
        return SimpleNamespace(folder=out, table="model  1.0", scene=Path("scene"))

    monkeypatch.setitem(sys.modules, "app.forecasts.demo", SimpleNamespace(run_demo=run_demo))
    assert run(["demo", "--out", "there", "--seed", "5"]) == 0
    assert (asked["out"], asked["seed"]) == (Path("there"), 5)
    shown = capsys.readouterr().out
    assert "model  1.0" in shown
    assert "there" in shown


def test_animate_writes_the_film(tmp_path, capsys):
    folder = make_result(tmp_path / "result")
    out = tmp_path / "film.gif"
    assert run(["animate", str(folder), "--out", str(out), "--size", "200"]) == 0
    assert out.read_bytes().startswith(b"GIF89a")
    assert capsys.readouterr().out.strip() == str(out)


def test_a_wrong_request_is_one_sentence_and_code_2(workflows, monkeypatch, capsys):
    def refuse(*_args, **_kwargs):
        raise DateError("expected a year,\n got none; say it with --year")

    monkeypatch.setattr(workflows.module, "forecast_region", refuse)
    assert run(["forecast", "r.tif", "--out", "o"]) == 2
    assert one_line(capsys) == "landcast: expected a year, got none; say it with --year"


def test_other_failures_are_code_1_and_the_trace_is_for_debugging(workflows, monkeypatch, capsys):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(workflows.module, "forecast_region", fail)
    assert run(["forecast", "r.tif", "--out", "o"]) == 1
    assert (
        one_line(capsys) == "landcast: OSError: disk full (add --debug to see where it came from)"
    )


def test_debug_shows_where_a_failure_came_from(workflows, monkeypatch, caplog):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(workflows.module, "forecast_region", fail)
    assert run(["--debug", "forecast", "r.tif", "--out", "o"]) == 1
    assert "disk full" in caplog.text
    assert "in fail" in caplog.text  # the trace names the function


def test_stopping_is_code_130(workflows, monkeypatch, capsys):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(workflows.module, "forecast_region", stop)
    assert run(["forecast", "r.tif", "--out", "o"]) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("forecast r.tif", "--out"),
        ("forecast r.tif --out o --years 0", "--years"),
        ("forecast r.tif --out o --years three", "--years"),
        ("forecast r.tif --out o --bands 1,2", "1,2"),
        ("forecast r.tif --out o --value-range 9,1", "low < high"),
        ("forecast r.tif --out o --max-memory much", "800MB or 6GB"),
        ("forecast r.tif --out o --resume --overwrite", "--resume or --overwrite"),
        ("forecast r.tif --out o --colour red", "--colour"),
        ("compare p.png --jpeg 3 --out o", "--jpeg"),
        ("forecasts r.tif", "forecasts"),
        ("train forecast --out m", "STORE"),
        ("prepare a.tif --out p.zarr", "EARLIER and LATER"),
        ("prepare a.tif b.tif --out p.zarr --dataset d", "--dataset only with a manifest"),
        ("prepare a.tif b.tif --out p.zarr --split val", "--split only with a manifest"),
        ("prepare a.tif b.tif --out p.zarr --pairs-per-place 2", "--pairs-per-place only with"),
        ("prepare a.tif b.tif --out p.zarr --average d=2", "--average only with a manifest"),
        ("prepare m.csv --out p.zarr --earlier-year 2016", "--earlier-year only with two"),
        ("prepare m.csv --out p.zarr --later-year 2016", "--later-year only with two rasters"),
        ("prepare a.tif b.tif --out p.zarr --val-share 1", "--val-share"),
        ("animate nowhere --out film.gif", "nowhere"),
        ("animate . --out film.avi", "film.avi"),
        ("animate . --out film.gif", "run.json"),
    ],
)
def test_wrong_use_is_code_2_and_one_line(workflows, capsys, arguments, said):
    assert run(arguments.split()) == 2
    line = one_line(capsys)
    assert line.startswith("landcast: ")
    assert said in line
    assert workflows.calls == []


def test_prepare_makes_a_store_and_shows_the_report(tmp_path, capsys):
    ground = picture(320, 320)
    earlier = write(tmp_path / "place_2016.tif", ground)
    later = ground.copy()
    later[:, 64:128, 64:128] = 210
    later = write(tmp_path / "place_2019.tif", later)
    out = tmp_path / "pairs.zarr"
    assert run(["prepare", str(earlier), str(later), "--out", str(out)]) == 0
    assert out.is_dir()
    assert "tile pairs kept" in capsys.readouterr().out
    assert run(["prepare", str(later), str(earlier), "--out", str(tmp_path / "no.zarr")]) == 2
    assert "2019" in one_line(capsys)
    assert not (tmp_path / "no.zarr").exists()


def test_prepare_holds_a_share_out(tmp_path, capsys):
    ground = picture(512, 512)
    files = [str(write(tmp_path / f"place_{year}.tif", ground)) for year in (2016, 2019)]
    out = tmp_path / "pairs.zarr"
    assert run(["prepare", *files, "--val-share", "0.2", "--out", str(out)]) == 0
    assert len(PairStore(out).read("train")) > 0
    assert len(PairStore(out).read("val")) > 0
    config = tmp_path / "test.toml"
    config.write_text('split = "test"\n')
    arguments = ["prepare", *files, "--out", str(tmp_path / "no.zarr"), "--config", str(config)]
    capsys.readouterr()
    assert run([*arguments, "--val-share", "0.2"]) == 2
    assert "--val-share or the split test" in one_line(capsys)


def test_prepare_takes_a_manifest_of_16_bit_images(tmp_path, capsys):
    lines = ["dataset,place,date,path"]
    for seed, place in enumerate("ab"):
        red, green, blue = (picture(140, 140, seed=seed).astype(np.uint16) + 1) * 10
        # Places on common ground would have to be in one split.
        grid = replace(GRID, transform=GRID.transform @ Affine.translation(1000 * seed, 0))
        for year in (2016, 2019):
            name = f"{place}_{year}.tif"
            write(tmp_path / name, np.stack([blue, green, red]), grid)
            lines.append(f"deep,{place},{year},{name}")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(lines))
    out = tmp_path / "pairs.zarr"
    arguments = ["prepare", str(manifest), "--out", str(out)]
    assert run([*arguments]) == 2
    assert "--value-range" in one_line(capsys)
    arguments += ["--bands", "3,2,1", "--value-range", "0,2560"]
    assert run([*arguments, "--average", "shallow=2"]) == 2
    assert "average among deep" in one_line(capsys)
    assert run([*arguments, "--val-share", "0.5"]) == 0
    pairs = PairStore(out).read()
    assert sorted(set(pairs.split.tolist())) == [0, 1]
    index = next(i for i, source in enumerate(pairs.source) if source.startswith("deep/b/"))
    row, col = pairs.row[index], pairs.col[index]
    wanted = (picture(140, 140, seed=1) + 1.0)[:, row : row + 128, col : col + 128] * 255 / 256
    np.testing.assert_allclose(pairs.past[index], wanted, atol=0.51)


def test_app_refuses_a_port_in_use(capsys):
    import socket

    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["app", "--port", str(port)]) == 2
    assert f"{port} on localhost is in use" in one_line(capsys)


@pytest.mark.parametrize("command", ["app", "serve"])
def test_settings_of_a_server_are_flags_and_environment(monkeypatch, tmp_path, command):
    import app.server
    from app.runs import ServerSettings

    started = []
    monkeypatch.setattr(
        app.server, "serve", lambda settings, **how: started.append((settings, how))
    )
    monkeypatch.setenv("LANDCAST_TOKEN", "sesame")
    monkeypatch.setenv("LANDCAST_FOLDERS", f"{tmp_path}:/images")
    monkeypatch.setenv("LANDCAST_QUEUE", "3")
    flags = ["--port", "8765", "--queue", "4", "--runs", str(tmp_path), "--headless"]
    assert run([command, *flags, "--base-path", "/land", "--work", "7"]) == 0
    ((settings, how),) = started
    assert settings == ServerSettings(
        port=8765,
        queue=4,
        runs=tmp_path,
        base_path="/land",
        work=7,
        token="sesame",
        folders=(tmp_path, Path("/images")),
    )
    assert (how["pages"], how["headless"]) == (command == "app", True)


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys, json; from app.cli.entry import run; codes = [run(['--version']), "
        "run(['--help']), run(['forecast', '--help']), run(['train', 'sr', '--help'])]; "
        "heavy = [m for m in ('torch', 'rasterio', 'streamlit', 'cv2') if m in sys.modules]; "
        "print(json.dumps([codes, heavy]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert json.loads(lines[-1]) == [[0, 0, 0, 0], []]
    assert lines[0].startswith("landcast 0.")
    for command in ("demo", "prepare", "train", "evaluate", "forecast", "animate", "app"):
        assert command in done.stdout


def test_no_command_shows_help(capsys):
    assert run([]) == 2
    assert "--help" in capsys.readouterr().err


def test_simulate_writes_a_world_that_prepare_takes(tmp_path, capsys):
    out = tmp_path / "world"
    arguments = ["simulate", "--out", str(out), "--seed", "3", "--years", "2"]
    arguments += ["--width", "256", "--height", "128"]
    assert run(arguments) == 0
    manifest = out / "manifest.csv"
    assert capsys.readouterr().out.strip() == str(manifest)
    assert [path.name for path in sorted(out.glob("scene_*.tif"))] == [
        "scene_2012.tif",
        "scene_2013.tif",
    ]
    assert run(arguments) == 2
    assert "--overwrite" in one_line(capsys)
    assert run(["prepare", str(manifest), "--out", str(tmp_path / "pairs.zarr")]) == 0
    assert "tile pairs kept" in capsys.readouterr().out
