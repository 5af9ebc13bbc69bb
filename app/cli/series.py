"""`landcast prepare --series`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import typer

from app.cli.bars import progress_bars
from app.cli.printing import say

__all__ = ["prepare_series", "settings_of"]

_Config = TypeVar("_Config")


def prepare_series(
    inputs: Sequence[str],
    out: Path,
    config: Path | None,
    stated: Mapping[str, Any],
    **listed: Any,
) -> None:
    """Prepare and print the report.

    Args:
        inputs: A manifest, a folder, or files of one place.
        out: Store to make.
        config: Settings as TOML.
        stated: Settings that options state; None where they do not.
        **listed: See `preprocessing.series.preparation.prepare_series`.
    """
    many = len(inputs) > 1 or inputs[0].lower().endswith(".csv") or Path(inputs[0]).is_dir()
    if not many:
        raise typer.BadParameter(
            f"expected two dated rasters or more, a manifest.csv or a folder, got {inputs[0]}"
        )
    from app.workflows import prepare_series as run
    from preprocessing.series.config import SeriesConfig

    settings = settings_of(SeriesConfig, config, stated)
    with progress_bars() as progress:
        report = run(inputs, out, settings, progress=partial(progress, "preparing"), **listed)
    say(report.as_text().rstrip())
    say(f"\n{out}")


def settings_of(kind: type[_Config], path: Path | None, stated: Mapping[str, Any]) -> _Config:
    """Settings of a TOML file, or the usual ones, with what options state; None where they do not.

    Raises:
        typer.BadParameter: An option does not fit the others.
    """
    from preprocessing.running.config import load_config

    settings: Any = kind() if path is None else load_config(kind, path)
    try:
        settings = replace(settings, **{k: v for k, v in stated.items() if v is not None})
    except ValueError as err:
        raise typer.BadParameter(str(err)) from err
    return cast(_Config, settings)
