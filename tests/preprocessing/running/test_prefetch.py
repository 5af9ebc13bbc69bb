from __future__ import annotations

import os
import threading

import pytest
import torch

from preprocessing.running.prefetch import prefetched, processes_for


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


def test_processes_make_the_same_items_in_the_same_order() -> None:
    def make(key: int) -> tuple[int, torch.Tensor]:
        return os.getpid(), torch.full((2,), key)

    items = list(prefetched(make, range(7), processes=2))
    assert [int(tensor[0]) for _, tensor in items] == list(range(7))
    makers = {maker for maker, _ in items}
    assert len(makers) == 2
    assert os.getpid() not in makers


@pytest.mark.parametrize("processes", [0, 2])
def test_an_error_is_raised_where_its_item_is_due(processes: int) -> None:
    def make(key: int) -> float:
        return 1 / (2 - key)

    items = prefetched(make, range(4), processes=processes)
    assert [next(items), next(items)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError, match=r"^division by zero$"):
        next(items)


def test_only_a_gpu_is_served_by_processes() -> None:
    assert processes_for(torch.device("cpu")) == 0
    assert processes_for(torch.device("cuda")) > 0
