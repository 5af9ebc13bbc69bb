"""The pages, and the switch of languages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.web.texts import choose_language, text

PAGES = {
    "map": ("forecasts.py", ":material/map:"),
    "upscale": ("upscale.py", ":material/zoom_in:"),
    "prepare": ("prepare.py", ":material/layers:"),
    "compare": ("compare.py", ":material/compare:"),
    "evaluate": ("evaluate.py", ":material/monitoring:"),
    "models": ("models.py", ":material/model_training:"),
}

_PATHS = {"map": None, "upscale": "upscaling"}  # `/upscale` is an address of the service.
_STYLE = """<style>
.stMainBlockContainer { padding: 4.2rem clamp(1rem, 3vw, 3rem) 3rem; max-width: 1680px; }
.stMarkdown table { display: block; max-width: 100%; overflow-x: auto; }
.stHtml img { max-width: 100%; height: auto; border-radius: 8px; background: #fff;
  image-rendering: pixelated; }
</style>"""
# Streamlit remembers an open sidebar, which would lie over all else when a phone loads the page.
_CLOSED_ON_PHONES = """<script>
addEventListener("pagehide", () => {
  const kept = Object.keys(localStorage).filter((key) => key.startsWith("stSidebarCollapsed"));
  if (innerWidth < 768) kept.forEach((key) => localStorage.removeItem(key));
});
</script>"""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config("landcast", "🛰️", layout="wide")
    folder = Path(__file__).with_name("views")  # Streamlit takes a folder called pages for its own.
    pages = [
        st.Page(
            folder / name,
            title=text(f"page_{key}"),
            icon=icon,
            url_path=_PATHS.get(key, key),
            default=key == "map",
        )
        for key, (name, icon) in PAGES.items()
        if (folder / name).is_file()
    ]
    st.html(_STYLE)
    chosen = st.navigation(pages, position="top")
    # A sidebar with nothing else in it would only take room.
    with st.sidebar if chosen is pages[0] else st.container(horizontal_alignment="right"):
        choose_language()
    chosen.run()
    st.html(_CLOSED_ON_PHONES, unsafe_allow_javascript=True)


if __name__ == "__main__":
    main()
