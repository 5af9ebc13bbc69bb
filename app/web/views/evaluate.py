"""How the models that ship did: the scores of their cards."""

from __future__ import annotations

import streamlit as st

from app.web.cards import model_cards, quiet, section
from app.web.texts import text


def main() -> None:
    """Draw the page."""
    st.header(text("page_evaluate"))
    st.write(text("evaluate_help"))
    cards = {name: section(card, "Scores") for name, card in model_cards().items()}
    known = [name for name, scores in cards.items() if scores]
    name = st.selectbox(text("choose_model"), known, key="evaluated")
    with st.container(border=True):
        st.markdown(quiet(cards[name]))
    st.caption(text("evaluate_own"))
    st.code(f"landcast evaluate {name} STORE.zarr --out scores", language="bash")


main()
