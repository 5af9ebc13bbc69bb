"""Rules of the repository that a reader relies on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("preprocessing", "forecast", "sr", "app")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_only_input_output_and_geometry_touch_rasterio() -> None:
    reading = {"band_choice.py", "clouds.py", "cog.py", "io.py", "missing_ground.py"}
    reading |= {"opening.py", "picture.py", "stored_values.py", "tiled_copy.py"}
    geometry = {"common_grid.py", "grid.py", "validation_blocks.py", "polygons.py", "warped.py"}
    allowed = reading | geometry
    for path in (ROOT / "preprocessing").rglob("*.py"):
        if "rasterio" in imported(path):
            assert path.name in allowed or path.parent.name == "simulator", path


@pytest.mark.parametrize(
    "module",
    [
        "forecast.training.loop",
        "forecast.region.familiarity",
        "app.training.forecast",
        "sr.training.loop",
        "sr.lift.guided_lift",
        "app.training.lift",
    ],
)
def test_training_needs_no_gdal(module: str) -> None:
    code = f"import {module}, sys; sys.exit('rasterio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_forecast_loads_nothing_of_other_commands() -> None:
    others = ("app.comparison", "app.scores", "app.training", "app.upscaling", "kornia")
    code = f"""import sys
from app.workflows import forecast_region
loaded = [name for name in {others} if name in sys.modules]
from app.workflows import compare_methods, upscale
sys.exit(f"{{loaded}}" if loaded or "app.comparison" not in sys.modules else 0)"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True)
    assert run.returncode == 0, run.stderr


def test_folders_and_modules_stay_short() -> None:
    others = [path for folder in ("benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
    folders = Counter(p.parent for p in (*MODULES, *others) if p.name != "__init__.py")
    assert max(folders.values()) <= 20, folders.most_common(1)
    long = [p.name for p in MODULES if len(p.read_text(encoding="utf-8").splitlines()) > 400]
    assert not long


def test_docs_name_only_commands_that_exist() -> None:
    from app.cli.entry import run

    named = {
        path.name: set(re.findall(r"^    landcast (\w+)", path.read_text("utf-8"), re.MULTILINE))
        for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    }
    assert named["README.md"] >= {"forecast", "animate", "app"}
    for command in set().union(*named.values()):
        assert run([command, "--help"]) == 0, command


def test_links_between_pages_lead_somewhere() -> None:
    """The site checks those within docs; this one also those to cards and code."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/weights/*/*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert len(links) > 100
    broken = [(page.name, target) for page, target in links if not (page.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize("folder", ["forecast/weights/base", "sr/weights/rrdb16"])
def test_shipped_models_have_weights_and_a_card(folder: str) -> None:
    files = {path.name for path in (ROOT / folder).iterdir()}
    assert {"config.json", "diffusion_pytorch_model.safetensors", "README.md"} <= files
    card = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    for words in ("## Data", "## Training", "## Scores", "## Limits", "CC BY 4.0"):
        assert words in card


def test_tracked_files_stay_small() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    sizes = [(ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name]
    assert sum(sizes) < 80e6
