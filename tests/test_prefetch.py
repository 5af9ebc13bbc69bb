from __future__ import annotations

import threading

import pytest

from preprocessing.prefetch import prefetched


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    second = threading.Event()

    def make(key: int) -> int:
        if key == 1:
            second.set()
        return key * 10

    items = prefetched(make, range(4))
    assert next(items) == 0
    assert second.wait(10)  # Made although nobody has asked for it.
    assert list(items) == [10, 20, 30]
    assert list(prefetched(make, [])) == []


def test_an_error_is_raised_where_its_item_is_due() -> None:
    def make(key: int) -> float:
        return 1 / (2 - key)

    items = prefetched(make, range(4))
    assert [next(items), next(items)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(items)
