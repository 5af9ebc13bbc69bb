"""Training of the lift; imports nothing that reads rasters, so that it runs on a bare GPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.running.output_lock import owned_file, owned_folder
from preprocessing.running.partial_files import remove_partials_in, remove_partials_of
from preprocessing.running.progress import Progress, untold
from sr.lift.packed_tiles import SUFFIX, pack_tiles, unpack_tiles
from sr.lift.recipe import DEFAULT_GUIDED_RECIPE, read_guided_recipe
from sr.lift.shipped import SHIPPED_LIFT
from sr.lift.training import train_guided

__all__ = ["pack_pairs", "train_lift"]

_HELD_OUT = 96


def train_lift(
    stores: Sequence[str | Path],
    out: Path,
    config: Path | None = None,
    *,
    minutes: float | None = None,
    init: str | None = None,
    resume: bool = False,
    progress: Progress = untold,
) -> Path:
    """Train the network that lifts forecasts, by a TOML recipe, into a model folder.

    Args:
        stores: Pair stores, or one file that `pack_pairs` wrote.
        out: Model folder.
        config: A recipe's file or the name of one that ships: `guided16` (where None), `guided1`.
        minutes: Ends the schedule after so much training, instead of the recipe's steps.
        init: Start from the weights of this model folder, or of `guided16`, which ships.
        resume: Continue from the checkpoint in `out`.
        progress: Called with `("training", done, total)`.
    """
    recipe = read_guided_recipe(config or DEFAULT_GUIDED_RECIPE)
    if minutes is not None:
        recipe = dataclasses.replace(recipe, minutes=minutes)
    if [Path(store).suffix for store in stores] == [SUFFIX]:
        tiles, held_out = unpack_tiles(Path(stores[0]))
    else:
        from sr.lift.pairs import read_pair_tiles

        tiles = read_pair_tiles(stores, "train", complete=False)
        held_out = read_pair_tiles(stores, "val", complete=True, most=recipe.validation_tiles)
    tick = partial(progress, "training")
    start = SHIPPED_LIFT if init == SHIPPED_LIFT.name else init
    with owned_folder(out):
        remove_partials_in(out)
        train_guided(tiles, held_out, out, recipe, resume=resume, init=start, progress=tick)
    return out


def pack_pairs(
    stores: Sequence[str | Path], out: Path, *, pairs: int, overwrite: bool = False
) -> tuple[int, int]:
    """Pack pairs of stores into one file for `train_lift`.

    Args:
        stores: Pair stores.
        out: File to write, `*.npz`.
        pairs: At most so many training pairs, as evenly over the datasets as they allow.
        overwrite: Replace an earlier file.

    Returns:
        Pairs to learn from and to validate on.

    Raises:
        OutputExistsError: `out` exists.
        OutputInUseError: Another process writes it.
        RequestError: `out` is named otherwise.
    """
    from sr.lift.pairs import read_pair_tiles

    if out.suffix != SUFFIX:
        raise RequestError(f"expected a name that ends in {SUFFIX} for packed tiles, got {out}")
    with owned_file(out, parents=True):
        if out.exists() and not overwrite:
            raise OutputExistsError(
                f"expected a new file, {out} exists; name another one or replace it with "
                "--overwrite"
            )
        remove_partials_of(out)
        tiles = read_pair_tiles(stores, "train", complete=False, most=pairs)
        held_out = read_pair_tiles(stores, "val", complete=True, most=_HELD_OUT)
        pack_tiles(out, tiles, held_out)
    return len(tiles), len(held_out)
