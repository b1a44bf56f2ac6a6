"""Classifier-free guidance: two answers of one network, with and without the label, pulled apart."""

from torch import Tensor

from ddpm_core.diffusion.prediction import Denoise


def guided(conditional: Denoise, unconditional: Denoise, scale: float) -> Denoise:
    """Classifier-free guidance: conditional + scale (conditional - unconditional).  [Ho and Salimans 2022, Eq. 6]

    scale 0 is plain conditional sampling. Stated there for eps; x0_hat is affine in eps, so it is the same rule,
    as long as the mixture is clamped and not its parts.
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        with_label = conditional(x_t, t)
        return with_label + scale * (with_label - unconditional(x_t, t))

    return denoise
