"""Points that leap from noise to data: as often, and with as much fresh noise, as a reader says."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm_core import sampler
from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array
from ddpm_core.book.widgets.scrubber import EPS_STEP
from ddpm_core.diffusion import timesteps
from ddpm_core.diffusion.mixture import GaussianMixture
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import Schedule

CURVES, PIECES = 5, 60  # points whose exact curve is shown, and the straight pieces that it is drawn in


def leaps(
    schedule: Schedule, world: GaussianMixture, *, label: str, calls: Sequence[int] = (1, 2, 3, 5, 10, 20, 50),
    opens: int = 5, points: int = 240,
) -> InteractiveFigure:  # fmt: skip
    """Pure noise on its way to a world whose guess is exact, by DDIM in n leaps with eta from a slider.

    Shown are the points after so many of the leaps, the world behind them, and for five of the points the leaps so far
    beside the curve that they cut short. In words: t, and how far they end from the ends of the curves, on average.
    `calls` are the numbers of leaps to choose from, rising; `opens` is the first one shown, all its leaps done.
    `.frame(n, eta, k)` gives the points after k of n leaps, (points, 2) in float64.
    Raises ValueError unless the world is one of round Gaussians of one width in the plane, and for other calls.
    [Song 2021, Eq. 12; chapter 10, Eq. 10.7]
    """
    variance, calls = float(world.variances[0, 0]), [int(n) for n in calls]
    if world.means.shape[1] != 2 or (world.variances != variance).any():
        raise ValueError("need a world of round Gaussians of one width in the plane, as `mixture.isotropic` makes it.")
    if calls != sorted(set(calls)) or opens not in calls or points < CURVES:
        raise ValueError(
            f"need rising calls with {opens} among them and {CURVES} points, but got {calls} and {points}."
        )
    stops = [timesteps.uniform(schedule, n) for n in calls]
    start = torch.randn(points, 2, generator=seeded(0), dtype=torch.float64)
    fresh = torch.randn(calls[-1] - 1, points, 2, generator=seeded(1), dtype=torch.float64)
    fresh, sent = encode_array(fresh, torch.int8, EPS_STEP)
    fine, denoise = timesteps.uniform(schedule, min(10 * PIECES, schedule.T)), world.denoiser(schedule)
    exact = torch.stack([x for _, x in sampler.ddim(denoise, schedule, start, fine)])
    curves = torch.cat([exact[: -1 : len(fine) // PIECES], exact[-1:]])[:, :CURVES].transpose(0, 1)
    numbers = {
        "kept": schedule.alpha_bar, "lost": 1 - schedule.alpha_bar, "means": world.means.flatten(),
        "weights": world.weights, "start": start.flatten(), "curves": curves.flatten(),
        "ends": exact[-1].flatten(),
    }  # fmt: skip
    arrays = {name: encode_array(x, torch.float32)[1] for name, x in numbers.items()}

    def frame(n: int, eta: float, k: int) -> Tensor:
        x, times = start, timesteps.uniform(schedule, n)
        for j in range(k):
            t, s = (torch.full((points,), times[j + i]) for i in (0, 1))
            z = fresh[j] if j < len(fresh) else torch.zeros_like(x)  # the last leap adds none
            x = sampler.ddim_step(schedule, x, t, s, denoise(x, t), z, eta=eta)
        return x

    payload = {"std": variance**0.5, "stops": stops, "curves": CURVES, "arrays": {**arrays, "fresh": sent}}
    body = _BODY.format(points=points, most=len(calls) - 1, first=calls.index(opens), n=opens)
    return InteractiveFigure("leap", label, payload, body, ["mixture", "leap"], frame)


_BODY = """<div class="stage" style="width: 420px"><svg class="plot" viewBox="-180 -180 360 360" role="img" \
aria-label="{points} points on their way from noise to the data; five of them with their leaps and their curves">
<path class="axes" d="M-180 0H180M0-180V180M-120-4v8M-60-4v8M60-4v8M120-4v8M-4-120h8M-4-60h8M-4 60h8M-4 120h8"/>
<path class="data"/><path class="curves"/><path class="cloud"/><path class="pieces"/></svg></div>
<div class="controls"><button type="button"><svg viewBox="0 0 24 24"><path/></svg></button>
<input type="range" min="0" max="{n}" value="{n}" aria-label="leaps done"></div>
<label class="set"><span>calls of the network: <b class="calls"></b></span>\
<input type="range" min="0" max="{most}" value="{first}" aria-label="calls of the network"></label>
<label class="set"><span>fresh noise <i>η</i>: <b class="eta"></b></span>\
<input type="range" min="0" max="1" step="0.1" value="0" aria-label="fresh noise eta"></label>
<output aria-live="off"><span class="time"></span>\
<span>the leaps end <b class="miss"></b> from the curves</span></output>"""
