"""The next item is made in a thread while the one before is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["prefetched"]

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


def prefetched(make: Callable[[_Key], _Item], keys: Iterable[_Key]) -> Iterator[_Item]:
    """Yield `make(key)` for each key in order, always one ahead.

    Args:
        make: Called in one other thread; what it raises is raised where its item is due.
        keys: Consumed one ahead of the items.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = (pool.submit(make, key) for key in keys)
        ahead = next(waiting, None)
        while ahead is not None:
            ready, ahead = ahead, next(waiting, None)
            yield ready.result()
