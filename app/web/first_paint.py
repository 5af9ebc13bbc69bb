"""What a new visitor sees before any script has run: the finished forecast, as a picture."""

from __future__ import annotations

import base64
import html
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from app.forecasts.results import ForecastFolder, display_image, display_valid
from app.runs import RunNotFoundError, Runs
from app.web.demo import DEMO_RUN
from app.web.texts import CATALOGUES

__all__ = ["first_page", "still"]

_SIDE = 900
_PICTURE = """
<figure id="first-paint" aria-hidden="true">
<figcaption><b>{year}</b> {what}</figcaption><img src="{still}" alt="">
</figure>
<style>
#first-paint {{ position: fixed; inset: 0; margin: 0; padding: 5rem 1.5rem 1.5rem; z-index: 999990;
  box-sizing: border-box; pointer-events: none; background: #fff; color: #1b1f26;
  font: 14px sans-serif; display: flex; flex-direction: column; gap: 0.6rem; }}
#first-paint b {{ font-size: 18px; }}
#first-paint img {{ flex: 1; min-height: 0; object-fit: contain; image-rendering: pixelated; }}
@media (prefers-color-scheme: dark) {{ #first-paint {{ background: #14171c; color: #e8eaee; }} }}
</style>
<script>
(() => {{
  const still = document.getElementById("first-paint");
  const began = Date.now();
  const waiting = setInterval(() => {{
    const hosts = [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")];
    const map = ".landcast-map .poster, .landcast-map[data-drawn]";
    const there = hosts.some((host) => host.shadowRoot?.querySelector(map));
    if (!there && Date.now() - began < 15000) return;
    clearInterval(waiting);
    still.remove();
  }}, 50);
}})();
</script>
"""


def first_page(request: Request, runs: Runs, index: Path) -> Response:
    """The page of Streamlit, with the finished forecast over it until the map is there.

    Args:
        request: For the page without an address of its own; that of a run begins as it is.
        runs: Of the server.
        index: Streamlit's own page.
    """
    plain = FileResponse(index, headers={"Cache-Control": "no-cache"})
    if "run" in request.query_params:
        return plain
    try:
        result = ForecastFolder.open(runs.folder(DEMO_RUN).result)
    except RunNotFoundError:
        return plain
    year = result.years[-1]
    path = result.path("forecast", year)
    asked = request.query_params.get("lang", request.headers.get("accept-language", ""))[:2]
    seen = _PICTURE.format(
        year=year,
        what=html.escape(CATALOGUES.get(asked, CATALOGUES["en"])["map_forecast"]),
        still=still(path, path.stat().st_mtime_ns, None, result.value_range),
    )
    page = index.read_text(encoding="utf-8").replace("</body>", f"{seen}</body>")
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=64)
def still(
    path: Path,
    modified: int,
    bands: tuple[int, int, int] | None,
    limits: tuple[float, float],
) -> str:
    """An image as an address that holds it.

    Args:
        path: Raster.
        modified: When, so that another one of this name is another picture.
        bands: Red, green and blue.
        limits: Values of black and white.
    """
    rgb = display_image(path, limits, _SIDE, bands=bands)
    alpha = np.where(display_valid(path, _SIDE), 255, 0).astype(np.uint8)[..., None]
    picture = Image.fromarray(np.concatenate([rgb, alpha], axis=2))
    side = picture.width
    if picture.height == side and side & (side - 1) == 0:
        # MapLibre 5.24 shows squares of 2, 4, 8, ... pixels black: it looks for mipmaps there.
        picture = picture.resize((side, side + 1), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=88, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
