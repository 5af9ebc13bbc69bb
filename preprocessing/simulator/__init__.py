"""Demo worlds with known causes, rendered like a satellite would see them."""

from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.drawing import draw_config
from preprocessing.simulator.world import World, simulate_world
from preprocessing.simulator.writing import write_world, write_worlds

__all__ = [
    "Cover",
    "World",
    "WorldConfig",
    "draw_config",
    "simulate_world",
    "write_world",
    "write_worlds",
]
