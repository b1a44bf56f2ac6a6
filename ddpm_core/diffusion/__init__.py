"""The mathematics, after the paper: Gaussians, predictions, losses, the bound. torch and the standard library only."""
