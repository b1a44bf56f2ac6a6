"""Figures that a reader moves, without a kernel or a network; and one live control, which needs a kernel."""

from ddpm_core.book.widgets.curve_editor import edit_schedule, edit_weighting
from ddpm_core.book.widgets.derivations import derivation, derivation_line
from ddpm_core.book.widgets.gallery import compare
from ddpm_core.book.widgets.gaussians import posterior
from ddpm_core.book.widgets.latents import shared_latents
from ddpm_core.book.widgets.likeness import view_nearest
from ddpm_core.book.widgets.opening import film, opening
from ddpm_core.book.widgets.progressive import scrub_rate
from ddpm_core.book.widgets.scrubber import live_forward, scrub, scrub_frames, scrub_points, scrub_predictions
from ddpm_core.book.widgets.trajectory import scrub_rows
from ddpm_core.book.widgets.unet_builder import build_unet

__all__ = [
    "build_unet", "compare", "derivation", "derivation_line", "edit_schedule", "edit_weighting", "film",
    "live_forward", "opening", "posterior", "scrub", "scrub_frames", "scrub_points", "scrub_predictions", "scrub_rate",
    "scrub_rows", "shared_latents", "view_nearest",
]  # fmt: skip
