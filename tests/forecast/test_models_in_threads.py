"""Models are read by many threads at once: pages, and workers of Dask."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from forecast.network.unet import ChangeUNet
from forecast.pretrained import load_model
from sr.lift.network import GuidedRRDBNet, load_guided

CPU = torch.device("cpu")


def test_models_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_pretrained` replaces functions of torch for all threads while it reads."""
    alone = next(load_model(device=CPU).parameters())
    reading, most = 0, 0
    counting = threading.Lock()

    def watched(cls: Any) -> None:
        real = cls.from_pretrained

        def slow(*args: Any, **kwargs: Any) -> Any:
            nonlocal reading, most
            with counting:
                reading += 1
                most = max(most, reading)
            time.sleep(0.02)
            try:
                return real(*args, **kwargs)
            finally:
                with counting:
                    reading -= 1

        monkeypatch.setattr(cls, "from_pretrained", slow)

    watched(ChangeUNet)
    watched(GuidedRRDBNet)
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda n: (load_model, load_guided)[n % 2](device=CPU), range(8))  # type: ignore[operator]
        )
    assert most == 1
    assert torch.equal(next(found[6].parameters()), alone)
    assert torch.empty(1).device == CPU
