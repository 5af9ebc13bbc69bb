"""A STAC API on localhost: item search over made items, and their COGs with range requests."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import blocks, write_cog

CORE = "https://api.stacspec.org/v1.0.0"
CONFORMANCE = [f"{CORE}/core", f"{CORE}/item-search", f"{CORE}/collections"]
GEOJSON = {"type": "application/geo+json"}


@dataclass
class Troubles:
    """What the server does wrong, by a part of the address.

    Attributes:
        broken: Files that are served cut short, their middle zeroed.
        absent: Files that are not there (404).
        hanging: Files that are answered after a minute only, or once `release` is set.
        busy: So many requests more are answered by 503.
        need_token: Files are refused without `?token=good`.
        search_down: Searches are answered by 500.
    """

    broken: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    busy: dict[str, int] = field(default_factory=dict)
    need_token: bool = False
    search_down: bool = False


@dataclass
class MadeCatalogue:
    """Items and files of the server, which a test may add to while it runs.

    Attributes:
        folder: Where the COGs are.
        url: Landing page, once it runs.
        items: STAC items as JSON.
        troubles: What goes wrong.
        asked: Addresses of all requests, in order.
        page: Items a page.
        files: Path of the files, another one each time: GDAL remembers what it read from an
            address for the life of the process, and ports come again.
    """

    folder: Path
    url: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    troubles: Troubles = field(default_factory=Troubles)
    asked: list[str] = field(default_factory=list)
    page: int = 3
    files: str = field(default_factory=lambda: f"/files/{uuid.uuid4().hex}/")

    def add(
        self,
        name: str,
        date: str,
        assets: dict[str, np.ndarray],
        grid: Grid,
        *,
        collection: str = "sentinel-2-l2a",
        properties: dict[str, Any] | None = None,
        extra: dict[str, dict[str, Any]] | None = None,
        nodata: float | None = 0,
        coarse: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Write `(c, h, w)` arrays as COGs and list them as an item.

        Args:
            name: Of the item.
            date: Day, as `YYYY-MM-DD`.
            assets: Pixels by name of asset.
            grid: Of the pixels.
            collection: It belongs to.
            properties: More properties.
            extra: More fields of assets, by name.
            nodata: Of the files.
            coarse: Assets that have half as many pixels a side, as the SCL has.
        """
        listed = {}
        for key, pixels in assets.items():
            file = f"{name}_{key}.tif"
            own = grid
            if key in coarse:
                own = grid.scaled(0.5)
                pixels = pixels[:, ::2, ::2]
            write_cog(
                self.folder / file,
                own,
                [(window, pixels[(..., *window.slices)], None) for window in blocks(own)],
                count=len(pixels),
                dtype=pixels.dtype.name,
                nodata=nodata,
            )
            listed[key] = {
                "href": f"{self.url}{self.files}{file}",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "roles": ["data"],
                **(extra or {}).get(key, {}),
            }
        west, south, east, north = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "stac_extensions": [],
            "id": name,
            "collection": collection,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": [west, south, east, north],
            "properties": {"datetime": f"{date}T10:30:00Z", **(properties or {})},
            "assets": listed,
            "links": [],
        }
        self.items.append(item)
        return item

    def found(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Items that fit the collections, the box and the days of a search."""
        west, south, east, north = query["bbox"]
        first, last = (dt.datetime.fromisoformat(t) for t in query["datetime"].split("/"))
        return [
            item
            for item in self.items
            if item["collection"] in query["collections"]
            and item["bbox"][0] <= east
            and item["bbox"][2] >= west
            and item["bbox"][1] <= north
            and item["bbox"][3] >= south
            and first <= dt.datetime.fromisoformat(item["properties"]["datetime"]) <= last
        ]

    def reads_of(self, part: str) -> int:
        """How many requests had `part` in their address."""
        return sum(part in address for address in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    made: MadeCatalogue

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._search(query)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith(self.made.files):
            self._file(parts.path.removeprefix(self.made.files), parse_qs(parts.query))
        elif parts.path == "/search":
            query: dict[str, Any] = {k: v[0] for k, v in parse_qs(parts.query).items()}
            query["collections"] = query["collections"].split(",")
            query["bbox"] = [float(v) for v in query["bbox"].split(",")]
            self._search(query)
        elif parts.path in ("", "/"):
            self._note()
            url = self.made.url
            self._json(
                {
                    "type": "Catalog",
                    "stac_version": "1.0.0",
                    "id": "made",
                    "description": "Made for tests",
                    "conformsTo": CONFORMANCE,
                    "links": [
                        {"rel": "self", "href": url},
                        {"rel": "root", "href": url},
                        {"rel": "search", "href": f"{url}/search", "method": "GET"} | GEOJSON,
                        {"rel": "search", "href": f"{url}/search", "method": "POST"} | GEOJSON,
                    ],
                }
            )
        else:
            self._error(404)

    def _search(self, query: dict[str, Any]) -> None:
        self._note()
        if self.made.troubles.search_down:
            self._error(500)
            return
        found = self.made.found(query)
        start = int(query.get("token", 0))
        stop = start + min(self.made.page, int(query.get("limit", 10)))
        links = []
        if stop < len(found):
            links = [
                {
                    "rel": "next",
                    "method": "POST",
                    "href": f"{self.made.url}/search",
                    "body": {**query, "token": str(stop)},
                }
            ]
        self._json({"type": "FeatureCollection", "features": found[start:stop], "links": links})

    def _file(self, name: str, parameters: dict[str, list[str]]) -> None:
        self._note()
        troubles = self.made.troubles
        path = self.made.folder / name
        if any(part in name for part in troubles.hanging):
            troubles.release.wait(60)
        for part, left in troubles.busy.items():
            if part in name and left > 0:
                troubles.busy[part] = left - 1
                self._error(503)
                return
        if troubles.need_token and parameters.get("token") != ["good"]:
            self._error(403)
            return
        if any(part in name for part in troubles.absent) or not path.is_file():
            self._error(404)
            return
        content = path.read_bytes()
        if any(part in name for part in troubles.broken):
            # The header stays readable, the pixels do not.
            content = content[:1024] + bytes(len(content) - 1024)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._send(200, content, {})
            return
        first = int(asked[1])
        last = min(int(asked[2] or len(content)), len(content) - 1)
        if first > last:
            self._error(416)
            return
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._send(206, content[first : last + 1], where)

    def _note(self) -> None:
        self.made.asked.append(f"{self.command} {self.path}")

    def _json(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _error(self, code: int) -> None:
        self._send(code, b"", {})

    def _send(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(code)
            for name, value in {"Accept-Ranges": "bytes", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)


@contextlib.contextmanager
def running_catalogue(folder: Path) -> Iterator[MadeCatalogue]:
    """Serve an empty catalogue until the block ends."""
    made = MadeCatalogue(folder)
    handler = type("Handler", (_Handler,), {"made": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.troubles.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def utm_grid(side: int, *, epsg: int = 32632, gsd_m: float = 10.0, shift_px: float = 0.0) -> Grid:
    """A square grid near 9.0 E, 45.15 N, its corner on a multiple of the pixel size."""
    west, north = 500_010 + shift_px * gsd_m, 5_000_010 - shift_px * gsd_m
    return Grid(side, side, Affine(gsd_m, 0, west, 0, -gsd_m, north), CRS.from_epsg(epsg))
