"""Two pictures or films of one view under a slider."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app.runs.video_checks import FILM
from app.web.texts import text

__all__ = ["before_after"]

_SIDE = 1400
_SCRIPT = """
export default ({ data, parentElement }) => {
  const both = parentElement.querySelector(".both");
  const [line, slider] = ["i", "input"].map((it) => parentElement.querySelector(it));
  const shown = (source, says) => {
    const one = document.createElement(data.films ? "video" : "img");
    one.setAttribute(data.films ? "aria-label" : "alt", says);
    if (data.films) [one.muted, one.loop, one.autoplay, one.playsInline] = [true, true, true, true];
    one.src = source;
    return one;
  };
  const [top, below] = [shown(data.before, data.words[0]), shown(data.after, data.words[1])];
  top.className = "top";
  both.replaceChildren(below, top, ...both.querySelectorAll("i, b"));
  if (data.films) below.ontimeupdate = () => {
    if (Math.abs(top.currentTime - below.currentTime) > 0.1) top.currentTime = below.currentTime;
  };
  slider.setAttribute("aria-label", data.words[2]);
  const [left, right] = parentElement.querySelectorAll("b");
  [left.textContent, right.textContent] = data.words;
  slider.oninput = () => {
    top.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    line.style.left = `${slider.value}%`;
  };
  slider.oninput();
};
"""
_HTML = '<div class="both"><i></i><b></b><b class="right"></b></div>' + (
    '<input type="range" min="0" max="100" value="50">'
)
_CSS = """
.both { position: relative; border-radius: 8px; overflow: hidden; line-height: 0; }
img, video { width: 100%; height: 66vh; object-fit: contain; }
.top { position: absolute; inset: 0; image-rendering: pixelated; }
i { position: absolute; top: 0; bottom: 0; width: 3px; margin-left: -1px; background: #fff;
  box-shadow: 0 0 3px #000; }
b { position: absolute; left: 8px; bottom: 8px; padding: 2px 10px; border-radius: 6px;
  background: rgb(0 0 0 / 65%); color: #fff; font: 14px/1.6 var(--st-font); }
b.right { left: auto; right: 8px; }
input { width: 100%; height: 30px; accent-color: var(--st-primary-color); }
"""
_component = st.components.v2.component("landcast_before_after", html=_HTML, css=_CSS, js=_SCRIPT)


def before_after(before: Path, after: Path, limits: tuple[float, float] | None = None) -> None:
    """Show two pictures of any format or two MP4 films, the first left of the line.

    Args:
        before: Left of the line.
        after: Right of it.
        limits: Values of black and white of rasters that do not say them.
    """
    words = [text("before"), text("after"), text("upscale_line")]
    _component(
        key="before_after",
        data={
            "before": _address(before, limits),
            "after": _address(after, limits),
            "films": after.suffix == FILM,
            "words": words,
        },
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _address(path: Path, limits: tuple[float, float] | None) -> str:
    if path.suffix == FILM:
        return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
    picture = Image.fromarray(_picture(path, limits))
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _picture(path: Path, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """`(h, w, 3)` of a picture or a raster; of one or two bands the first is grey."""
    from app.forecasts.results import display_image
    from preprocessing.rasters.opening import opened
    from preprocessing.rasters.picture import is_picture, read_picture

    if is_picture(path):
        colours = read_picture(path).colours
        colours = np.repeat(colours, 3 // len(colours), axis=0).transpose(1, 2, 0)
        return np.asarray(colours if colours.dtype == np.uint8 else colours // 257, np.uint8)
    with opened(str(path)) as dataset:
        grey = dataset.count < 3
    return display_image(path, limits, _SIDE, bands=(1, 1, 1) if grey else None)
