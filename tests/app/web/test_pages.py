"""Every page starts, in every language; texts are complete."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.web import page
from app.web.cards import model_cards, section
from app.web.server import PAGE
from app.web.service import Service
from app.web.texts import CATALOGUES
from app.web.views import __file__ as views_file

FOLDER = Path(views_file).parent
WEB = PAGE.parent


def start(name: str) -> AppTest:
    return AppTest.from_file(str(FOLDER / name), default_timeout=60)


@pytest.mark.parametrize("language", CATALOGUES)
@pytest.mark.parametrize("name", [name for name, _ in page.PAGES.values()])
def test_every_page_starts(held: Service, name: str, language: str) -> None:
    started = start(name)
    started.session_state["language"] = language
    started.run()
    assert not started.exception
    assert not started.error


def test_the_menu_names_every_page(held: Service) -> None:
    assert {path.name for path in FOLDER.glob("[!_]*.py")} == {n for n, _ in page.PAGES.values()}
    started = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not started.exception
    assert "Demo landscape" in [element.value for element in started.subheader]


def test_pages_stay_short() -> None:
    for path in FOLDER.glob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines < (140 if path.name == "forecasts.py" else 100), path.name


def test_catalogues_have_the_same_texts_with_the_same_places() -> None:
    english, russian = CATALOGUES["en"], CATALOGUES["ru"]
    assert set(english) == set(russian)
    for key, said in english.items():
        assert places(said) == places(russian[key]), key
        assert russian[key].strip(), key


def places(said: str) -> set[str]:
    return {name for _, name, *_ in string.Formatter().parse(said) if name}


def test_texts_that_are_used_are_there() -> None:
    used = set()
    for path in WEB.rglob("*.py"):
        used |= set(re.findall(r'\btext\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    for path in (WEB / "map" / "src").glob("*.js"):
        found = re.findall(r"\btexts\.(\w+)", path.read_text(encoding="utf-8"))
        used |= {f"map_{name}" for name in found}
    assert len(used) > 60
    assert used <= set(CATALOGUES["en"])


def test_plain_words_are_used() -> None:
    for said in CATALOGUES["en"].values():
        assert "member" not in said.lower()


def test_cards_have_scores_and_no_links_into_the_repository() -> None:
    cards = model_cards()
    assert {"base", "rrdb16"} <= set(cards)
    assert section(cards["base"], "Scores")
    assert section(cards["base"], "Nothing of the kind") == ""
    assert not any(card.startswith("---") for card in cards.values())
    assert "](../" not in "".join(cards.values())
