"""The cards of the models that ship, as Markdown."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["model_cards", "section"]

_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def model_cards() -> dict[str, str]:
    """Cards by name of the model, without links into the repository."""
    found = {}
    for package in ("forecast", "sr"):
        for folder in sorted(files(package).joinpath("weights").iterdir(), key=lambda it: it.name):
            card = folder.joinpath("README.md")
            if card.is_file():
                found[folder.name] = _LINK.sub(r"\1", card.read_text(encoding="utf-8"))
    return found


def section(card: str, title: str) -> str:
    """A section of a card, to the next of its level; empty where there is none."""
    found = re.search(rf"^## {title}.*?$(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return "" if found is None else found[1].strip()
