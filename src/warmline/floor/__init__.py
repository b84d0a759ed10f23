"""The floor: who holds it, who takes it, and how long nobody does."""

from warmline.floor.definitions import DEFINITIONS
from warmline.floor.measure import Sensitivity, measure, sensitivity

__all__ = ["DEFINITIONS", "Sensitivity", "measure", "sensitivity"]
