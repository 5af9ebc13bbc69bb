"""A demo world with known causes, rendered like a satellite would see it."""

from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.world import World, simulate_world
from preprocessing.simulator.writing import write_world, write_worlds

__all__ = ["Cover", "World", "WorldConfig", "simulate_world", "write_world", "write_worlds"]
