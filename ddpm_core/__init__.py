"""Denoising diffusion in small rooms, from the schedule to the sampler, and what stands on them."""

__version__ = "0.1.0"
