"""Ensembles of tiles: noise in, members out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from forecast.history import History
from forecast.objects import settle, share_noise
from forecast.patches import FACTOR, to_low
from forecast.process import Sampler
from forecast.sampling import sample
from forecast.unet import NOISE_CHANNELS, ForecastUNet
from preprocessing.precision import autocast

__all__ = ["predict_tiles"]


@torch.inference_mode()
def predict_tiles(
    model: ForecastUNet,
    past: Tensor,
    years: Tensor,
    gsd_m: Tensor | None = None,
    *,
    members: int,
    seed: int | Sequence[int],
    steps: int | None = None,
    sampler: Sampler | None = None,
    history: History | None = None,
) -> Tensor:
    """Forecast single tiles straight to their horizon, without lifting them.

    Args:
        model: In evaluation mode.
        past: `(b, 3, 4h, 4w)`, 0..1.
        years: `(b,)` horizons.
        gsd_m: `(b,)` metres per pixel, 0 where not known. Default: not known.
        members: Members, m.
        seed: Of the noise. Several are those of equal parts of the batch: a part has the noise
            it has alone.
        steps: Network passes; the model's own default where None.
        sampler: Solver, likewise.
        history: Earlier dates. Default: none.

    Returns:
        Differences future minus past over 4x4 means, whatever the model's own output size, so that
        models compare: `(m, b, 3, h, w)` in units of 0..1.
    """
    config = model.config
    device = past.device
    with autocast(device):
        condition = model.condition(past, history)
        seeds = [seed] if isinstance(seed, int) else list(seed)
        generators = [torch.Generator().manual_seed(one) for one in seeds]
        segments = model.segments(to_low(past, model.factor)).to(device)

        def drawn(sources: Sequence[torch.Generator], *shape: int) -> Tensor:
            part = len(past) // len(sources)
            return torch.cat([torch.randn((part, *shape), generator=s) for s in sources]).to(device)

        def denoise(regional: Tensor, x: Tensor, time: float) -> Tensor:
            return model.guided(x, condition, x.new_full((len(x),), time), years, gsd_m, regional)

        def noise(sources: Sequence[torch.Generator], number: int = 0) -> Tensor:
            return share_noise(drawn(sources, NOISE_CHANNELS, *condition.shape[-2:]), segments)

        outputs = []
        for member in range(members):
            regional = drawn(generators, config.regional_noise)
            on_the_way = [torch.Generator().manual_seed(s * 1_000_003 + member) for s in seeds]
            output = sample(
                partial(denoise, regional),
                noise(generators),
                model.process,
                steps=steps or config.sampling_steps,
                sampler=sampler or config.sampler,
                further=partial(noise, on_the_way),
            )
            whole, within = settle(output, segments)
            outputs.append(to_low(whole + within, FACTOR // model.factor))
    scaled = torch.stack(outputs).float()
    return scaled * float(config.target_scale)
