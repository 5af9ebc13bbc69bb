"""Frozen dataclass configurations read strictly from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

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
    return _filled(cls, values, path)


def _filled(cls: type[Config], values: dict[str, Any], path: Path) -> Config:
    hints = get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"unknown key {', '.join(unknown)} in {path}; known keys are {', '.join(known)}"
        )
    fitted = {key: _fit(value, hints[key], key, path) for key, value in values.items()}
    try:
        return cls(**fitted)
    except ValueError as err:
        raise ConfigError(f"{path}: {err}") from err


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


def _fit(value: Any, hint: Any, key: str, path: Path) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"expected a table [{key}] in {path}, got {value!r}")
        return _filled(hint, value, path)  # type: ignore[arg-type]
    if isinstance(value, list):
        value = tuple(tuple(v) if isinstance(v, list) else v for v in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(hint) is Literal and value not in get_args(hint):
        wanted = ", ".join(str(choice) for choice in get_args(hint))
        raise ConfigError(f"expected {key} to be one of {wanted} in {path}, got {value!r}")
    plain = get_origin(hint) or hint
    if plain in (int, float, str, bool, tuple) and (
        not isinstance(value, plain) or (plain is int and isinstance(value, bool))
    ):
        raise ConfigError(f"expected {plain.__name__} for {key} in {path}, got {value!r}")
    return value
