"""Trainings: their hyperparameters (`config`) and those that have a name (`RECIPES`)."""

from ddpm_core.recipes.config import TrainingConfig
from ddpm_core.recipes.recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "TrainingConfig"]
