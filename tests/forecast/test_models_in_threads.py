"""Models are read by many threads at once: pages, and workers of Dask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from forecast.pretrained import load_model
from sr.lift.network import load_guided
from sr.network.pretrained import load_network

CPU = torch.device("cpu")


def _weights(number: int) -> Tensor:
    readers = (load_model, load_guided, load_network)
    network: nn.Module = readers[number % 3](device=CPU)
    return next(network.parameters()).detach()


def test_models_read_at_once_are_whole_and_leave_nothing_changed() -> None:
    before = nn.init.kaiming_uniform_, nn.Linear.reset_parameters, nn.Module.register_parameter
    alone = [_weights(number) for number in range(3)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(_weights, range(24)))
    for number, weights in enumerate(found):
        assert torch.equal(weights, alone[number % 3])
    after = nn.init.kaiming_uniform_, nn.Linear.reset_parameters, nn.Module.register_parameter
    assert after == before
    assert torch.empty(1).device == CPU
    assert nn.Conv2d(3, 64, 3).weight.std() > 0.01
