"""What ships: the cards of the models."""

from __future__ import annotations

import streamlit as st

from app.web.cards import model_cards, quiet
from app.web.texts import text


def main() -> None:
    """Draw the page."""
    st.header(text("page_models"))
    st.write(text("models_help"))
    cards = model_cards()
    name = st.selectbox(text("choose_model"), list(cards), key="model")
    with st.container(border=True):
        st.markdown(quiet(cards[name]))


main()
