"""The next items are made in a thread or in other processes while the one before is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

__all__ = ["prefetched", "processes_for"]

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")
_MOST = 4


def processes_for(device: torch.device) -> int:
    """How many processes make batches for a network on this device.

    A GPU outruns one thread that decodes tiles. A CPU has no cores to spare, and processes are
    forked, which only Linux does safely.
    """
    if device.type != "cuda" or sys.platform != "linux":
        return 0
    return min(_MOST, (os.cpu_count() or 1) - 1)


def prefetched(
    make: Callable[[_Key], _Item], keys: Iterable[_Key], *, processes: int = 0
) -> Iterator[_Item]:
    """Yield `make(key)` for each key in order, made ahead.

    Args:
        make: Called in another thread or in forked processes; what it raises is raised where its
            item is due.
        keys: Consumed ahead of the items.
        processes: So many make items, each two ahead; 0 for one thread that is one ahead.
    """
    if processes > 0:
        items = DataLoader(
            _Made(make, list(keys)),
            batch_size=None,
            num_workers=processes,
            multiprocessing_context="fork",
            generator=torch.Generator(),  # Or it would draw from everybody's.
        )
        for item in items:
            if isinstance(item, _Failure):
                raise item.error
            yield item
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = (pool.submit(make, key) for key in keys)
        ahead = next(waiting, None)
        while ahead is not None:
            ready, ahead = ahead, next(waiting, None)
            yield ready.result()


@dataclass(frozen=True)
class _Failure:
    """What making an item raised; a loader would put its own words around it."""

    error: Exception


class _Made(Dataset[object], Generic[_Key, _Item]):
    def __init__(self, make: Callable[[_Key], _Item], keys: list[_Key]) -> None:
        self._make, self._keys = make, keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> object:
        try:
            return self._make(self._keys[number])
        except Exception as error:  # noqa: BLE001  # raised again where the item is due
            return _Failure(error)
