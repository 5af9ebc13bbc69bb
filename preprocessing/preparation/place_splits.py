"""The split of every place of a list of images, kept apart on the ground."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from preprocessing.errors import NoValidPixelsError, RequestError
from preprocessing.preparation.config import PrepareConfig
from preprocessing.preparation.manifest import ManifestImage
from preprocessing.preparation.splits import held_corner, split_places
from preprocessing.preparation.validation_blocks import (
    GroundSplit,
    ValidationBlock,
    ValidationBlockIndex,
)
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import RasterSource

__all__ = ["Place", "check_share", "place_splits"]

Place = tuple[str, str]
"""Data set and place."""


def place_splits(
    images: Sequence[ManifestImage],
    planned: Sequence[tuple[ManifestImage, ManifestImage]],
    config: PrepareConfig,
    open_file: Callable[[ManifestImage], RasterSource],
    *,
    name: str,
) -> dict[Place, GroundSplit | None]:
    """How to split the tiles of each place.

    Places go to one split as a whole, by what the list states or by `val_share`; a single place
    without a split has a corner held out instead, the same at all its dates. Training tiles then
    keep away from all ground that is held out: of other places too, if they lie side by side or
    overlap.

    Args:
        images: All images.
        planned: Pairs of dates to be made of them.
        config: Settings.
        open_file: Opens an image to learn its grid; used only if something is held out.
        name: What to call the list in messages.

    Returns:
        By place; None where all is decided within one pair of dates (see `split_blocks`).

    Raises:
        RequestError: A `val_share` is asked for, and the list states all splits.
    """
    splits = _by_place(images, config, name)
    if not {"val", "test"} & set(splits.values()) and config.val_share == 0:
        return {place: GroundSplit(split or "train") for place, split in splits.items()}
    used = {image for pair in planned for image in pair}
    grids: dict[Place, list[Grid]] = {}
    for image in sorted(used, key=lambda image: image.date):
        grids.setdefault((image.dataset, image.place), []).append(open_file(image).grid)
    held = ValidationBlockIndex(
        grid
        for place, members in grids.items()
        for grid in members
        if splits[place] in ("val", "test")
    )
    grounds: dict[Place, GroundSplit | None] = {}
    for place, split in splits.items():
        members = grids.get(place, [])
        others: tuple[ValidationBlock, ...] = ()
        if split in (None, "train"):
            others = tuple(dict.fromkeys(g for grid in set(members) for g in held.near(grid)))
        if split is not None:
            grounds[place] = GroundSplit(split, others=others)
        elif config.val_share == 0:
            grounds[place] = GroundSplit("train", others=others)
        elif _pairs_of(place, planned) == 1 and not others:
            grounds[place] = None
        elif members:
            # The first date's grid measures the ground for all.
            corner = held_corner(
                members[0].height,
                members[0].width,
                val_share=config.val_share,
                seed=config.seed,
            )
            grounds[place] = GroundSplit(own=ValidationBlock(members[0], corner), others=others)
    return grounds


def check_share(
    config: PrepareConfig, splits: Mapping[str, int], name: str, *, guarded: int = 0
) -> None:
    """Refuse a result whose one side is empty although a share was to be held out.

    Args:
        config: Settings.
        splits: Kept tiles by split.
        name: What was prepared.
        guarded: Tiles dropped because they lie too near to another split.

    Raises:
        NoValidPixelsError: Tiles were kept, but all for one split.
    """
    kept = sum(splits.values())
    if kept and config.split is None and config.val_share > 0 and len(splits) < 2:
        near = f" ({guarded} lie within 128 px of held out ground)" if guarded else ""
        raise NoValidPixelsError(
            f"expected tile pairs for both train and val at a val_share of "
            f"{config.val_share:g}, {name} leave {kept} pairs, all {', '.join(splits)}{near}; "
            "use larger images, places further apart, another share or none"
        )


def _by_place(
    images: Sequence[ManifestImage], config: PrepareConfig, name: str
) -> dict[Place, str | None]:
    """Split by place; None where a single place is to be split by its ground."""
    places = {(image.dataset, image.place): image.split for image in images}
    if config.split is not None:
        return dict.fromkeys(places, config.split)
    unsplit = [key for key, split in places.items() if split is None]
    if config.val_share > 0 and not unsplit:
        raise RequestError(
            f"expected places without a split for a val_share of {config.val_share:g}, the column "
            f"split of {name} states all; leave it out there or ask for no share"
        )
    if len(unsplit) > 1 and config.val_share > 0:
        by_name = split_places(
            ["/".join(key) for key in unsplit], val_share=config.val_share, seed=config.seed
        )
        return {key: split or by_name["/".join(key)] for key, split in places.items()}
    return dict(places)


def _pairs_of(place: Place, planned: Sequence[tuple[ManifestImage, ManifestImage]]) -> int:
    return sum((first.dataset, first.place) == place for first, _ in planned)
