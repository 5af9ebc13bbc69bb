"""HTML reports from templates: one page that needs nothing beside it and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["TEMPLATES", "Cell", "html_page"]

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """A value in a table, with what is known of it.

    Attributes:
        text: The value.
        interval: Shown below it.
        verdict: `better`, `worse` or empty.
    """

    text: str
    interval: str = ""
    verdict: str = ""


def html_page(template: Path, title: str, **values: Any) -> str:
    """Fill a template that extends `base.html`; text is escaped.

    Args:
        template: Its file; `parts.html` has the pieces that all pages share.
        title: Heading, and name of the browser's tab.
        **values: What the template names. `notes`, a list, and `settings`, a mapping, are shown
            at the end where they are given.

    Returns:
        An HTML document that asks nothing of the network.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["setting"] = _text
    values.setdefault("settings", {})
    return environment.get_template(template.name).render(title=title, **values)


def _text(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)
