"""Figures that a reader moves, without a kernel or a network; and live controls, which need a kernel."""

from ddpm_core.book.widgets.captions import live_caption
from ddpm_core.book.widgets.curve_editor import edit_schedule, edit_weighting
from ddpm_core.book.widgets.derivations import derivation_line
from ddpm_core.book.widgets.detective import accuse
from ddpm_core.book.widgets.field import vector_field
from ddpm_core.book.widgets.gallery import compare
from ddpm_core.book.widgets.gaussians import posterior
from ddpm_core.book.widgets.guessing import guess_digit
from ddpm_core.book.widgets.jensen import open_gap
from ddpm_core.book.widgets.latents import shared_latents
from ddpm_core.book.widgets.leaping import leaps
from ddpm_core.book.widgets.likeness import view_nearest
from ddpm_core.book.widgets.morphing import morph_bound
from ddpm_core.book.widgets.opening import film, opening
from ddpm_core.book.widgets.progressive import scrub_rate
from ddpm_core.book.widgets.rotation import turn_axes
from ddpm_core.book.widgets.scrubber import live_forward, scrub, scrub_frames, scrub_points, scrub_predictions
from ddpm_core.book.widgets.training import scrub_training
from ddpm_core.book.widgets.trajectory import scrub_rows
from ddpm_core.book.widgets.unet_builder import build_unet
from ddpm_core.book.widgets.unet_walk import WalkStep, walk_unet
from ddpm_core.book.widgets.walking import walk_and_jump

__all__ = [
    "WalkStep", "accuse", "build_unet", "compare", "derivation_line", "edit_schedule", "edit_weighting",
    "film", "guess_digit", "leaps", "live_caption", "live_forward", "morph_bound", "open_gap", "opening",
    "posterior", "scrub", "scrub_frames", "scrub_points", "scrub_predictions", "scrub_rate", "scrub_rows",
    "scrub_training", "shared_latents", "turn_axes", "vector_field", "view_nearest", "walk_and_jump",
    "walk_unet",
]  # fmt: skip
