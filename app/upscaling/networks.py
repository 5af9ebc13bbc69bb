"""The networks of a run that upscales: those that fit its files, or the one that was named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.rasters.opening import shown_name
from sr.network.choice import choose_network
from sr.network.pretrained import SHIPPED, load_network
from sr.network.rrdb import RRDBNet
from sr.upscale.bands import Upscaler

if TYPE_CHECKING:
    from app.upscaling.run import UpscaleRequest

__all__ = ["Upscalers"]


class Upscalers:
    """The networks, each loaded when the first file needs it, with and without kept means.

    Args:
        request: What is upscaled, and how.
        notice: Called with a sentence where a network was chosen.
    """

    def __init__(self, request: UpscaleRequest, notice: Callable[[str], None] | None) -> None:
        self._request = request
        self._notice = notice
        self._loaded: dict[str, RRDBNet] = {}
        self._fingerprints: dict[RRDBNet, str] = {}

    def of(self, source: str | Path, *, measured: bool) -> Upscaler:
        """The upscaler of a file, for measurements (rasters) or for pictures."""
        model = self._model(source)
        if model not in self._loaded:
            self._loaded[model] = load_network(
                model, alpha=self._request.blend, allow_pickle=self._request.allow_pickle
            )
        keep = self._request.keep_means
        options = replace(self._request.options, consistent=measured if keep is None else keep)
        return Upscaler(self._loaded[model], options)

    def _model(self, source: str | Path) -> str:
        if self._request.model is not None or self._request.blend is not None:
            return self._request.model or str(SHIPPED)
        choice = choose_network(source)
        if self._notice is not None:
            name = Path(shown_name(str(source))).name
            self._notice(f"{name}: taking {choice.name}, as {choice.reason} (--model)")
        return choice.name

    def identity(self, source: str | Path, upscaler: Upscaler) -> dict[str, Any]:
        """What decides the result of a file."""
        network = upscaler.network
        if network not in self._fingerprints:
            self._fingerprints[network] = upscaler.fingerprint()
        stat = source.stat() if isinstance(source, Path) else None
        return {
            "source": str(source.resolve() if isinstance(source, Path) else source),
            "bytes": None if stat is None else stat.st_size,
            "modified": None if stat is None else stat.st_mtime_ns,
            "options": asdict(upscaler.options),
            "value_range": self._request.value_range,
            "sensor": self._request.sensor,
            "weights": self._fingerprints[network],
            "landcast": version("landcast"),
        }
