"""Configurations are read strictly: what does not fit is refused, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from preprocessing.errors import MissingFileError
from preprocessing.running.config import ConfigError, load_config, load_recipe


@dataclass(frozen=True)
class _Drawing:
    share: float = 0.5


@dataclass(frozen=True)
class _Recipe:
    steps: int = 10
    rate: float = 0.1
    widths: tuple[int, ...] = (1, 2)
    kind: Literal["plain", "fancy"] = "plain"
    calm: bool = True
    drawing: _Drawing = field(default_factory=_Drawing)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError("expected steps of at least 1")


def _file(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_values_and_tables_become_the_dataclass(tmp_path: Path) -> None:
    text = 'steps = 3\nrate = 1\nwidths = [4, 5, 6]\nkind = "fancy"\n[drawing]\nshare = 0.25\n'
    expected = _Recipe(3, 1.0, (4, 5, 6), "fancy", True, _Drawing(0.25))
    assert load_config(_Recipe, _file(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("stepz = 3", "stepz.*known keys are steps"),
        ("[drawing]\nshares = 1", "shares.*known keys are share"),
        ("steps = 1.5", "int.*steps"),
        ("steps = true", "int.*steps"),
        ('rate = "much"', "float.*rate"),
        ("calm = 1", "bool.*calm"),
        ('kind = "odd"', "odd.*kind"),
        ("drawing = 3", "drawing"),
        ("widths = 3", "widths"),
        ("steps = 0", "steps of at least 1"),
        ("steps = = 3", "expected TOML"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=f"(?s){named}") as caught:
        load_config(_Recipe, path)
    assert str(path) in str(caught.value)


def test_a_recipe_is_a_file_or_a_name_that_ships(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "quick.toml").write_text("steps = 2")
    assert load_recipe(_Recipe, "quick", shipped).steps == 2
    assert load_recipe(_Recipe, _file(tmp_path, "steps = 7"), shipped).steps == 7
    with pytest.raises(MissingFileError, match="quick"):
        load_recipe(_Recipe, "slow", shipped)
