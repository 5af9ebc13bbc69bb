"""Frozen dataclass configurations read strictly from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from preprocessing.errors import MissingFileError, RequestError

__all__ = ["ConfigError", "load_config", "load_recipe"]

Config = TypeVar("Config")


class ConfigError(RequestError):
    """A configuration file names an unknown key or a value that does not fit."""


def load_config(cls: type[Config], path: str | Path) -> Config:
    """Read a TOML file into the frozen dataclass `cls`.

    Arrays become tuples, a table the dataclass that a field is one of.

    Raises:
        MissingFileError: No such file.
        ConfigError: Not TOML, an unknown key, a value of the wrong type, or one that the
            dataclass refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"expected a TOML configuration, found nothing at {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"expected TOML in {path}: {err}") from err
    _refuse_unknown(cls, values, path)
    try:
        return msgspec.convert(values, cls)
    except (msgspec.ValidationError, ValueError) as err:
        raise ConfigError(f"{path}: {err}") from err


def _refuse_unknown(cls: type, values: dict[str, Any], path: Path) -> None:
    """Refuse keys that a dataclass does not have, which msgspec passes over."""
    hints = get_type_hints(cls)
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"unknown key {key} in {path}; known keys are {', '.join(hints)}")
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, dict):
            _refuse_unknown(hints[key], value, path)


def load_recipe(cls: type[Config], name: str | Path, shipped: Path) -> Config:
    """`load_config` of a file, or of `NAME.toml` in the folder `shipped`.

    Raises:
        MissingFileError: Neither.
        ConfigError: See `load_config`.
    """
    known = dict(sorted((path.stem, path) for path in shipped.glob("*.toml")))
    if not Path(name).is_file():
        if str(name) not in known:
            raise MissingFileError(
                f"expected a TOML file or the name of a recipe that ships ({', '.join(known)}), "
                f"found nothing at {name}"
            )
        name = known[str(name)]
    return load_config(cls, name)
