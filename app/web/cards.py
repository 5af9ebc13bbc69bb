"""The cards of the models that ship, as Markdown."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["model_cards", "quiet", "section"]

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_HEADING = re.compile(r"^(#{1,3}) ", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def model_cards() -> dict[str, str]:
    """Cards by name of the model, without front matter and links into the repository."""
    found = {}
    for package in ("forecast", "sr"):
        for folder in sorted(files(package).joinpath("weights").iterdir(), key=lambda it: it.name):
            card = folder.joinpath("README.md")
            if card.is_file():
                found[folder.name] = _FRONT.sub("", _LINK.sub(r"\1", card.read_text("utf-8")))
    return found


def quiet(markdown: str) -> str:
    """The same with smaller headings, as part of a page that has its own."""
    return _HEADING.sub(r"\1## ", markdown)


def section(card: str, title: str) -> str:
    """A section of a card, to the next of its level; empty where there is none."""
    found = re.search(rf"^## {title}.*?$(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return "" if found is None else found[1].strip()
