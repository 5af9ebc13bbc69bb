"""What a visitor has: a folder of their own, their uploads and their forecasts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import streamlit as st

from app.forecasts.results import ForecastFolder
from app.web.scenes import Scene

__all__ = ["forecast_of", "keep_upload", "run_forecast", "session_folder"]


def session_folder() -> Path:
    """A folder that lives as long as the visit."""
    if "folder" not in st.session_state:
        st.session_state["folder"] = tempfile.TemporaryDirectory(prefix="landcast-visit-")
    return Path(st.session_state["folder"].name)


def keep_upload(name: str, identifier: str, content: bytes) -> Path:
    """Write an uploaded file into the visit's folder, once."""
    folder = session_folder() / "uploads" / "".join(c for c in identifier if c.isalnum())
    path = folder / (Path(name.replace("\\", "/")).name or "image")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def forecast_of(scene: Scene) -> ForecastFolder | None:
    """The latest forecast of a scene in this visit."""
    folder = _forecasts().get(scene.images)
    return None if folder is None else ForecastFolder.open(folder)


def run_forecast(
    scene: Scene, *, start: int, years: int, members: int, seed: int, save_members: bool
) -> ForecastFolder:
    """Forecast a scene with a progress bar; the result is kept for the visit.

    Raises:
        RequestError: The image cannot be forecast.
    """
    from app.workflows import ForecastRequest, forecast_region

    out = Path(tempfile.mkdtemp(prefix="forecast-", dir=session_folder()))
    bar = st.progress(0.0, "loading the model")

    def report(stage: str, done: int, total: int) -> None:
        bar.progress(min(1.0, done / max(total, 1)), f"{stage} {done} of {total}")

    try:
        result = forecast_region(
            ForecastRequest(
                images=tuple(path for year, path in scene.images if year <= start),
                out=out,
                year=start,
                years=years,
                members=members,
                seed=seed,
                value_range=scene.value_range,
                save_members=save_members,
            ),
            progress=report,
        )
    except BaseException:  # also when the visit ends, which Streamlit tells by an exception
        shutil.rmtree(out, ignore_errors=True)
        raise
    finally:
        bar.empty()
    _forecasts()[scene.images] = str(result.folder)
    st.session_state["year"] = result.years[-1]
    return result


def _forecasts() -> dict[object, str]:
    kept: dict[object, str] = st.session_state.setdefault("forecasts", {})
    return kept
