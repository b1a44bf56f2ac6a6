"""The training loss, and how its random times are drawn."""

from collections.abc import Callable

import torch
from torch import Tensor

from .gaussian import q_sample, same_shape
from .predict import EPS, Prediction
from .schedule import Schedule, at
from .weighting import Weighting, uniform

Network = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> answer, shaped like x_t


def training_loss(
    net: Network,
    schedule: Schedule,
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    predict: Prediction = EPS,
    weight: Weighting = uniform,
) -> Tensor:
    """E[ weight_t || target - net(x_t, t) ||^2 ], a scalar: the mean over examples, pixels and channels.

    x0 (B, ...) in [-1, 1]; t (B,) in 1..T; eps ~ N(0, I), shaped like x0. With the defaults this is L_simple.
    A network with labels is passed as `partial(net, labels=labels)`. Raises ValueError for a time of 0, images that
    are not scaled (on the CPU), and an answer of another shape.   [Ho 2020, Eq. 14 and Algorithm 1; chapter 0]
    """
    if (t < 1).any():
        raise ValueError(f"need times 1..T, where there is noise to guess, but t holds {int(t.min())}.")
    x_t = q_sample(schedule, x0, t, eps)
    if x0.ndim == 4 and x0.device.type == "cpu" and x0.abs().max() > 1.001:  # elsewhere a look would stall the queue
        raise ValueError(f"need images scaled to [-1, 1], but they run from {x0.min():g} to {x0.max():g}.")
    answer = net(x_t, t.to(x_t.device))
    same_shape("x_t", x_t, "the network's answer", answer)
    error = predict.target(schedule, x0, x_t, t, eps) - answer
    return (at(weight(schedule, t, predict), torch.arange(len(t)), like=error) * error**2).mean()


def draw_times(schedule: Schedule, n: int, generator: torch.Generator) -> Tensor:
    """n times in 1..T, each uniform, but spread evenly over the batch: one from each n-th of the range, then shuffled.

    The same expectation as independent draws with less scatter.  [Kingma 2021, low-discrepancy sampler]
    """
    u = (torch.arange(n, dtype=torch.float64) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
    t = (u * schedule.T).long().clamp(max=schedule.T - 1) + 1
    return t[torch.randperm(n, generator=generator)]
