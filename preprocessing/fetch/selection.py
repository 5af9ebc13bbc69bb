"""Which observations of a year are used: the best ones, until each place has enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from preprocessing.fetch.scenes import Scene
from preprocessing.rasters.grid import Bounds

__all__ = ["by_clouds", "choose_scenes", "newest_first"]

# Slivers where neighbouring footprints do not quite meet are worth no further item.
_SLIVER = 1e-6


def by_clouds(scene: Scene) -> tuple[object, ...]:
    """Order of scenes for a median: well placed, few clouds; then by name."""
    return (scene.second_rate, scene.cloud_percent, scene.id)


def newest_first(scene: Scene) -> tuple[object, ...]:
    """Order of scenes for a mosaic."""
    return (-scene.when.timestamp(), scene.id)


def choose_scenes(
    scenes: Iterable[Scene],
    bbox: Bounds,
    *,
    layers: int,
    order: Callable[[Scene], tuple[Any, ...]],
) -> list[Scene]:
    """Take scenes in order; leave out those that only show what was seen `layers` times.

    A plain cap on the number of items would use it up on one tile of a place that lies on
    several. Where `layers` scenes cover the whole place this is the same.

    Args:
        scenes: Of one year.
        bbox: The place in degrees.
        layers: Observations of each point that are enough.
        order: Sort key, best first.

    Returns:
        The chosen ones, best first.
    """
    import shapely

    place = shapely.box(*bbox)
    # seen[k] is the ground that was seen more than k times.
    seen = [shapely.Polygon()] * layers
    chosen = []
    for scene in sorted(scenes, key=order):
        ground = shapely.intersection(_geometry(scene.footprint), place)
        if shapely.difference(ground, seen[-1]).area <= _SLIVER * place.area:
            continue
        for k in range(layers - 1, 0, -1):
            seen[k] = shapely.union(seen[k], shapely.intersection(seen[k - 1], ground))
        seen[0] = shapely.union(seen[0], ground)
        chosen.append(scene)
    return chosen


def _geometry(footprint: Mapping[str, Any]) -> Any:
    import shapely
    from shapely.geometry import shape

    # Footprints of catalogues cross themselves now and then.
    geometry = shape(footprint)
    return geometry if geometry.is_valid else shapely.make_valid(geometry)
