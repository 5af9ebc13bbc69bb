"""Change moves whole objects: fields, roofs, stands of trees.

Land changes object by object: a field is ploughed as a whole, a roof is new as a whole. Noise that
differs from pixel to pixel leaves it to the network to find out what belongs together, and a small
network answers with soft blobs. So noise is shared within objects seen in the picture, and so is
the change that is made of it; the network is left to decide what an object becomes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from skimage.segmentation import felzenszwalb
from torch import Tensor

from forecast.rims import dissolve_rims

__all__ = ["object_labels", "settle", "share_noise"]

_SMOOTHING = 0.4
_SMALLEST = 3


def object_labels(low: Tensor, scales: Sequence[float], *, finer: int = 1) -> Tensor:
    """Segment images into objects of similar colour (Felzenszwalb and Huttenlocher 2004).

    Images that are equal, as the members of an ensemble start from, are segmented once.

    Args:
        low: `(b, 3, h, w)`, 0..1.
        scales: How large the objects are, one segmentation each; the constant k of the paper for
            images in grey levels of 255.
        finer: Pixels of `low` along one pixel that `scales` are meant for. Smoothing and smallest
            size follow, so that about as many objects are found, and rims are dissolved.

    Returns:
        `(b, len(scales), h, w)` int64 on the CPU; labels of one segmentation count from 0.
    """
    images = low.detach().float().cpu().permute(0, 2, 3, 1).numpy().astype(np.float64)
    labels = np.empty((len(low), len(scales), *low.shape[-2:]), dtype=np.int64)
    first: dict[bytes, int] = {}
    for item, image in enumerate(images):
        same = first.setdefault(image.tobytes(), item)
        if same < item:
            labels[item] = labels[same]
            continue
        for index, scale in enumerate(scales):
            objects = felzenszwalb(
                image,
                scale=scale,
                sigma=_SMOOTHING * finer,
                min_size=_SMALLEST * finer**2,
                channel_axis=-1,
            )
            labels[item, index] = dissolve_rims(objects, image) if finer > 1 else objects
    return torch.from_numpy(labels)


def share_noise(noise: Tensor, labels: Tensor) -> Tensor:
    """Give the last channels of white noise one value for each object.

    The value is the sum over the object divided by the root of its size, so every pixel is
    standard normal still, and objects are independent of each other.

    Args:
        noise: `(b, c, h, w)` standard normal.
        labels: `(b, s, h, w)` from `object_labels`, s <= c.

    Returns:
        `(b, c, h, w)`: the first c - s channels as they were, the others shared.
    """
    shared = labels.shape[1]
    if shared == 0:
        return noise
    totals, counts = _over_objects(noise[:, -shared:], labels)
    return torch.cat([noise[:, :-shared], totals / counts.sqrt()], dim=1)


def settle(output: Tensor, labels: Tensor) -> Tensor:
    """Make a change of what the network answers: objects change as a whole, pixels beside them.

    The first three channels are the change of objects: their mean over each of the finest ones is
    taken, so that changes end where objects end, and unsure changes do not blur them. Three more,
    where there are any, are added as they are: shadows, edges seen from another angle, texture.

    Args:
        output: `(b, 3, h, w)` or `(b, 6, h, w)`.
        labels: `(b, s, h, w)` from `object_labels`, the finest first. With s = 0 nothing is
            averaged.

    Returns:
        `(b, 3, h, w)`.
    """
    change, pixels = output[:, :3], output[:, 3:]
    if labels.shape[1]:
        totals, counts = _over_objects(change, labels[:, :1].expand(change.shape))
        change = totals / counts
    return change + pixels if pixels.shape[1] else change


def _over_objects(values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sums and pixel counts over the object each pixel lies in; all `(b, c, h, w)`."""
    index = labels.to(values.device).flatten(2)
    size = int(index.max()) + 1
    flat = values.flatten(2)
    totals = flat.new_zeros(*flat.shape[:2], size).scatter_add(2, index, flat)
    counts = flat.new_zeros(*flat.shape[:2], size).scatter_add(2, index, torch.ones_like(flat))
    return (
        totals.gather(2, index).view_as(values),
        counts.gather(2, index).view_as(values),
    )
