"""A trained network with what must not be parted from it: its schedule and its prediction."""

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor, nn

from ddpm_core.diffusion.guidance import Interval, guided
from ddpm_core.diffusion.prediction import Denoise, Prediction, clip_denoised, denoiser
from ddpm_core.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Model:
    """What a checkpoint holds, and what `sampler.draw` takes.

    network     (x_t, t) or (x_t, t, labels=labels) -> output, in eval mode
    schedule    the noise schedule that it was trained with
    prediction  what its output is: EPS, X0, V or MEAN
    about       image size (H, W), class names, data, seed, device, minutes, ...
    """

    network: nn.Module
    schedule: Schedule
    prediction: Prediction
    about: dict = field(default_factory=dict)

    def denoiser(self, labels: Tensor | None = None, guidance: float = 0.0, interval: Interval = None) -> Denoise:
        """denoise(x_t, t) -> x0_hat, clipped to [-1, 1]; told these labels (or tokens of captions), if any are given.

        guidance 0 is plain conditional sampling; with an interval, it pulls at its times alone.
        Raises ValueError for a guidance without labels.
        """
        told = self.network if labels is None else partial(self.network, labels=labels)
        denoise = denoiser(told, self.schedule, self.prediction)
        if guidance and labels is None:
            raise ValueError(
                "need labels: guidance pulls towards a label or a caption, but this network or this call has none."
            )
        if guidance:
            denoise = guided(denoise, denoiser(self.network, self.schedule, self.prediction), guidance, interval)
        return clip_denoised(denoise)
