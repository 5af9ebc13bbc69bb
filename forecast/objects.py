"""Change moves whole objects: fields, roofs, stands of trees.

Land changes object by object: a field is ploughed as a whole, a roof is new as a whole. Noise that
differs from pixel to pixel leaves it to the network to find out what belongs together, and a small
network answers with soft blobs. So noise is shared within objects seen in the picture, and so is
the change that is made of it; the network is left to decide what an object becomes. What differs
within an object (a stand in a wood, a shadow, a wet corner) differs by its parts, seen in the
picture as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skimage.segmentation import felzenszwalb
from torch import Tensor
from torch.nn.functional import avg_pool2d

from forecast.rims import dissolve_rims

__all__ = ["Segments", "over_objects", "segment", "settle", "share_noise"]

_SMOOTHING = 0.4
_SMALLEST = 3
_PART, _PIXEL = 1.0, 0.5
"""How far parts and pixels may differ, in standard deviations of the training differences."""
_AROUND = 5


@dataclass(frozen=True)
class Segments:
    """What images are made of; labels of one segmentation count from 0.

    Attributes:
        objects: `(b, s, h, w)` int64, one segmentation for each scale.
        parts: `(b, p, h, w)` int64, the parts of objects; p is 1, or 0 where there are none.
    """

    objects: Tensor
    parts: Tensor

    @property
    def all(self) -> Tensor:
        """`(b, s + p, h, w)`."""
        return torch.cat([self.objects, self.parts], dim=1)

    def __getitem__(self, items: slice) -> Segments:
        """Those of some of the images."""
        return Segments(self.objects[items], self.parts[items])

    def to(self, device: torch.device) -> Segments:
        """The same on a device."""
        return Segments(self.objects.to(device), self.parts.to(device))

    def repeat(self, times: int) -> Segments:
        """For the images, repeated as `Tensor.repeat` does along the first axis."""
        return Segments(self.objects.repeat(times, 1, 1, 1), self.parts.repeat(times, 1, 1, 1))


def segment(
    low: Tensor, scales: Sequence[float], *, part_scale: float = 0.0, finer: int = 1
) -> Segments:
    """Segment images into objects of similar colour (Felzenszwalb and Huttenlocher 2004).

    Images that are equal, as the members of an ensemble start from, are segmented once.

    Args:
        low: `(b, 3, h, w)`, 0..1.
        scales: How large the objects are, one segmentation each; the constant k of the paper for
            images in grey levels of 255.
        part_scale: Likewise of the parts, which are as small as the output can show; none if 0.
        finer: Pixels of `low` along one pixel that `scales` are meant for. Smoothing and smallest
            size of objects follow, so that about as many are found, and rims are dissolved.
    """
    images = low.detach().float().cpu().permute(0, 2, 3, 1).numpy().astype(np.float64)
    ks = [*scales, *([part_scale] if part_scale else [])]
    labels = np.empty((len(low), len(ks), *low.shape[-2:]), dtype=np.int64)
    first: dict[bytes, int] = {}
    for item, image in enumerate(images):
        same = first.setdefault(image.tobytes(), item)
        if same < item:
            labels[item] = labels[same]
            continue
        for index, k in enumerate(ks):
            whole = index < len(scales)
            found = felzenszwalb(
                image,
                scale=k,
                sigma=_SMOOTHING * (finer if whole else 1),
                min_size=_SMALLEST * (finer**2 if whole else 1),
                channel_axis=-1,
            )
            labels[item, index] = dissolve_rims(found, image) if whole and finer > 1 else found
    cut = torch.from_numpy(labels)
    return Segments(cut[:, : len(scales)], cut[:, len(scales) :])


def share_noise(noise: Tensor, segments: Segments) -> Tensor:
    """Give the last channels of white noise one value for each object, and for each part.

    The value is the sum over the object divided by the root of its size, so every pixel is
    standard normal still, and objects are independent of each other.

    Args:
        noise: `(b, c, h, w)` standard normal.
        segments: With s + p <= c segmentations.

    Returns:
        `(b, c, h, w)`: the first c - s - p channels as they were, the others shared.
    """
    labels = segments.all
    shared = labels.shape[1]
    if shared == 0:
        return noise
    totals, counts = _sums(noise[:, -shared:], labels)
    return torch.cat([noise[:, :-shared], totals / counts.sqrt()], dim=1)


def settle(output: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """Let the finest objects change as a whole, and what they are made of beside them.

    What the network answers is replaced by its mean over each object. Changes then end where
    objects end, and unsure changes do not blur them. Parts of objects change likewise, and single
    pixels (edges seen from another angle, texture), less their mean over 5 x 5 pixels. Parts and
    pixels change little, or the objects would dissolve into them.

    Args:
        output: `(b, 3, h, w)`, or `(b, 9, h, w)` where there are parts: objects, parts, pixels.
        segments: Of the images. Without objects nothing is averaged.

    Returns:
        Two fields `(b, 3, h, w)` that add up to the change: that of objects, constant within the
        finest of them, and that within objects, zero where there are no parts.
    """
    change, parts, pixels = output[:, :3], output[:, 3:6], output[:, 6:]
    if segments.objects.shape[1] == 0:
        return change, torch.zeros_like(change)
    whole = over_objects(change, segments.objects[:, :1])
    if parts.shape[1] == 0:
        return whole, torch.zeros_like(whole)
    around = avg_pool2d(pixels, _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False)
    return whole, _limited(over_objects(parts, segments.parts), _PART) + _limited(
        pixels - around, _PIXEL
    )


def _limited(values: Tensor, most: float) -> Tensor:
    return most * torch.tanh(values / most)


def over_objects(values: Tensor, labels: Tensor) -> Tensor:
    """Means of `(b, c, h, w)` over the objects `(b, 1, h, w)`, at each of their pixels."""
    totals, counts = _sums(values, labels.expand(values.shape))
    return totals / counts


def _sums(values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
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
