"""The floor: who holds it, who takes it, and how long nobody does."""

from warmline.floor.measure import DEFINITIONS, Sensitivity, measure, sensitivity

__all__ = ["DEFINITIONS", "Sensitivity", "measure", "sensitivity"]
