"""Training places in one file that a machine without GDAL and Zarr can read."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from forecast.training.place_tensors import GroundPlace
from preprocessing.errors import MissingFileError, PairStoreError
from preprocessing.running.partial_files import partial_path

__all__ = ["SUFFIX", "load_places", "save_places"]

SUFFIX = ".npz"
_FORMAT = "landcast-places/1"
_JPEG_QUALITY = 92


def save_places(path: Path, train: Sequence[GroundPlace], val: Sequence[GroundPlace]) -> None:
    """Write places; images as JPEG without subsampling of colour, about a tenth of their size.

    Args:
        path: `.npz` file, replaced as a whole.
        train: To train on.
        val: To score on while training.
    """
    blobs: list[bytes] = []

    def put(blob: bytes) -> int:
        blobs.append(blob)
        return len(blobs) - 1

    entries = []
    for split, places in (("train", train), ("val", val)):
        for place in places:
            entries.append(
                {
                    "split": split,
                    "name": place.name,
                    "dataset": place.dataset,
                    "gsd_m": place.gsd_m,
                    "years": place.years.tolist(),
                    "shape": list(place.valid.shape),
                    "images": [put(_jpeg(image)) for image in place.images],
                    "valid": put(zlib.compress(np.packbits(place.valid).tobytes())),
                    "colours": place.colours.tolist(),
                    "labels": [
                        [*pair, put(zlib.compress(label.tobytes()))]
                        for pair, label in place.labels.items()
                    ],
                }
            )
    header = json.dumps({"format": _FORMAT, "places": entries}).encode()
    sizes = np.array([len(blob) for blob in blobs], dtype=np.int64)
    part = partial_path(path)
    with part.open("wb") as file:
        np.savez(
            file,
            header=np.frombuffer(header, np.uint8),
            sizes=sizes,
            data=np.frombuffer(b"".join(blobs), np.uint8),
        )
    os.replace(part, path)


def load_places(path: Path) -> tuple[list[GroundPlace], list[GroundPlace]]:
    """Read what `save_places` wrote: places to train on and to score on.

    Raises:
        MissingFileError: There is no such file.
        PairStoreError: It is something else.
    """
    if not path.is_file():
        raise MissingFileError(f"expected a file of training places, found nothing at {path}")
    try:
        with np.load(path) as file:
            header, sizes, data = file["header"].tobytes(), file["sizes"], file["data"]
        described = json.loads(header)
        if described["format"] != _FORMAT:
            raise ValueError(described["format"])
    except (OSError, ValueError, KeyError) as err:
        raise PairStoreError(
            f"expected a file of training places of format {_FORMAT}, got something else in {path}"
            f" ({err}); make one with 'landcast train forecast'"
        ) from err
    ends = np.cumsum(sizes)

    def blob(number: int) -> bytes:
        return bytes(data[ends[number] - sizes[number] : ends[number]])

    found: dict[str, list[GroundPlace]] = {"train": [], "val": []}
    for entry in described["places"]:
        dates, height, width = entry["shape"]
        count = dates * height * width
        bits = np.frombuffer(zlib.decompress(blob(entry["valid"])), np.uint8)
        cells = (height // 4, width // 4)
        found[entry["split"]].append(
            GroundPlace(
                name=entry["name"],
                dataset=entry["dataset"],
                gsd_m=entry["gsd_m"],
                years=np.array(entry["years"]),
                images=np.stack([_picture(blob(number)) for number in entry["images"]]),
                valid=np.unpackbits(bits, count=count).reshape(dates, height, width).astype(bool),
                colours=np.array(entry["colours"], np.float32),
                labels={
                    (i, j): np.frombuffer(zlib.decompress(blob(n)), np.uint8).reshape(cells)
                    for i, j, n in entry["labels"]
                },
            )
        )
    return found["train"], found["val"]


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    plain = np.ascontiguousarray(image.transpose(1, 2, 0)[..., ::-1])
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, coded = cv2.imencode(".jpg", plain, options)
    if not done:
        raise ValueError(f"expected an image that JPEG can hold, got one of {image.shape}")
    return coded.tobytes()


def _picture(coded: bytes) -> NDArray[np.uint8]:
    plain = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
    if plain is None:
        raise PairStoreError("expected JPEG in the file of training places, got something else")
    return np.ascontiguousarray(plain[..., ::-1].transpose(2, 0, 1), dtype=np.uint8)
