"""Virtual rasters (VRT): checked for what they would have GDAL read, before it reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from preprocessing.errors import OutsideError, UnreadableRasterError
from preprocessing.rasters.outside import is_inside

__all__ = ["check_mosaic", "is_mosaic"]

_HEAD = 2048
_MOST_BYTES = 64 * 2**20
_REMOTE = re.compile(
    r"://|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|stdin|sparse|subfile)|<"
    r"|^\s*(WMS|WMTS|WCS|PLMOSAIC|DAAS|EEDA|EEDAI|STACIT|STACTA|MRF|VRT|HTTP|HTTPS|GTI):",
    re.IGNORECASE,
)
_NAMING = re.compile(r"file|dataset|source|path|href|url", re.IGNORECASE)


def is_mosaic(path: Path) -> bool:
    """Whether the content of a file is a virtual raster, whatever its name."""
    return b"<vrtdataset" in _head(path).lower()


def check_mosaic(path: Path, *, _seen: frozenset[Path] = frozenset()) -> None:
    """Refuse raw bands of files outside the mosaic's folder, and anything on the network.

    Mosaics of mosaics are followed.

    Raises:
        OutsideError: It has such a band or source.
        UnreadableRasterError: It is damaged, or contains itself.
    """
    path = path.resolve()
    if path in _seen or path.stat().st_size > _MOST_BYTES:
        raise UnreadableRasterError(
            f"expected a mosaic of rasters, {path} contains itself or is larger than 64 MiB"
        )
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, ValueError) as err:
        raise UnreadableRasterError(
            f"expected a mosaic (VRT), {path} is damaged ({err}); make it again"
        ) from err
    for band in _all(root, "vrtrasterband"):
        if _attribute(band, "subclass").lower() == "vrtrawrasterband":
            for source in _all(band, "sourcefilename"):
                _check_raw(source, path)
    for element in root.iter():
        text = (element.text or "").strip()
        if not text or not _names_a_file(element):
            continue
        if _REMOTE.search(text):
            raise OutsideError(
                f"expected files of this machine in the mosaic {path}, it names {text[:100]}; "
                "pass --allow-outside if you trust it"
            )
        file = _located(text, path, relative=_attribute(element, "relativetovrt") == "1")
        if file.is_file():
            _check_source(file, path, _seen | {path})


def _check_raw(source: ElementTree.Element, path: Path) -> None:
    text = (source.text or "").strip()
    relative = _attribute(source, "relativetovrt") != "0"
    if text.startswith("/vsi") or not is_inside(
        _located(text, path, relative=relative), path.parent
    ):
        raise OutsideError(
            f"expected raw bands in the folder of the mosaic {path}, it names {text[:100]}; "
            "pass --allow-outside if you trust it"
        )


def _check_source(source: Path, mosaic: Path, seen: frozenset[Path]) -> None:
    if is_mosaic(source):
        check_mosaic(source, _seen=seen)
    elif _head(source).lstrip()[:1] in (b"<", b"{"):
        raise OutsideError(
            f"expected pixels in the sources of the mosaic {mosaic}, {source} is a text that names "
            "them elsewhere; pass --allow-outside if you trust it"
        )


def _located(text: str, mosaic: Path, *, relative: bool) -> Path:
    return mosaic.parent / text if relative else Path(text)


def _names_a_file(element: ElementTree.Element) -> bool:
    name = _attribute(element, "key") if element.tag.lower() == "mdi" else element.tag
    return bool(_NAMING.search(name))


def _all(root: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (element for element in root.iter() if element.tag.lower() == tag)


def _attribute(element: ElementTree.Element, name: str) -> str:
    """An attribute by its name in any capitals, as GDAL reads them."""
    return next((v for key, v in element.attrib.items() if key.lower() == name), "")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
