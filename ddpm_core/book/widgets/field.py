"""A vector field in three readings, the noise, the score and the velocity of the flow, with points that it moves."""

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import InteractiveFigure, encode_array
from ddpm_core.diffusion.gaussian import eps_from_x0
from ddpm_core.diffusion.mixture import GaussianMixture
from ddpm_core.diffusion.noise import seeded
from ddpm_core.diffusion.sde import probability_flow
from ddpm_core.schedule import Schedule

SIDE, SPACE = 13, 0.45  # arrows stand on a grid of 13 by 13, so far apart
READINGS = ("noise", "score", "velocity")


def vector_field(
    schedule: Schedule, world: GaussianMixture, *, label: str, points: int = 240, opens: int | None = None
) -> InteractiveFigure:
    """Points that walk between noise and data in the exact field of a mixture, while a reader turns noise up or down.

    Arrows show the field at time t in one of three readings: the mean noise, the score, or the velocity (x + score) / 2
    by which the flow leads back; needles are as long as the root of it. A step from t to t - 1 is DDIM's with eta from
    a slider, one from t to t + 1 keeps the density as well: with 0 it goes back on the same curve, with 1 it is the
    chain's own. `opens` is the first t shown, reached without noise; by default T / 4. `.frame(t, reading)` gives the
    arrows, (169, 2), column by column.
    Raises ValueError unless the world is one of round Gaussians of one width in the plane, and for other times.
    [chapter 14, Eqs. 14.3, 14.8 and 14.9]
    """
    variance, opens = float(world.variances[0, 0]), schedule.T // 4 if opens is None else opens
    if world.means.shape[1] != 2 or (world.variances != variance).any():
        raise ValueError("need a world of round Gaussians of one width in the plane, as `mixture.isotropic` makes it.")
    _time(schedule, opens)
    x_T = torch.randn(points, 2, generator=seeded(0), dtype=torch.float64)
    numbers = {
        "kept": schedule.alpha_bar, "lost": 1 - schedule.alpha_bar, "means": world.means.flatten(),
        "weights": world.weights, "start": x_T.flatten(),
    }  # fmt: skip
    arrays = {name: encode_array(x, torch.float32)[1] for name, x in numbers.items()}
    payload = {"T": schedule.T, "std": variance**0.5, "opens": opens, "arrays": arrays}
    body = _BODY.replace("COUNT", str(points)).replace("LAST", str(schedule.T))
    return InteractiveFigure(
        "field", label, payload, body, ["mixture", "field"], lambda t, reading: _arrows(schedule, world, t, reading)
    )


def grid() -> Tensor:
    """Where the arrows stand, (169, 2): column by column, from below."""
    places = (torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2) * SPACE
    return torch.cartesian_prod(places, places)


def _arrows(schedule: Schedule, world: GaussianMixture, t: int, reading: str) -> Tensor:
    """The field on the grid. Raises ValueError for a time or a reading that the figure does not have."""
    _time(schedule, t)
    if reading not in READINGS:
        raise ValueError(f"need a reading, one of {', '.join(READINGS)}, but got {reading!r}.")
    x, now = grid(), torch.full((SIDE**2,), t)
    if reading == "noise":
        return eps_from_x0(schedule, x, now, world.posterior_mean(schedule, x, now))
    score = world.score(schedule, x, now)
    return score if reading == "score" else -probability_flow(lambda x, t: score)(x, now)


def _time(schedule: Schedule, t: int) -> None:
    if t not in range(1, schedule.T + 1):
        raise ValueError(f"need a time in 1..{schedule.T}, but got {t}.")


_BODY = """<div class="stage" style="width: 420px"><svg class="plot" viewBox="-180 -180 360 360" role="img" \
aria-label="COUNT points among arrows that show the field at time t; one point has a ring around it">
<path class="axes" d="M-180 0H180M0-180V180M-120-4v8M-60-4v8M60-4v8M120-4v8M-4-120h8M-4-60h8M-4 60h8M-4 120h8"/>
<path class="arrows"/><path class="cloud"/><circle class="one" r="7"/></svg></div>
<fieldset><legend>the arrows are</legend>
<label><input type="radio" value="velocity" checked> the velocity of the flow</label>
<label><input type="radio" value="score"> the score</label>
<label><input type="radio" value="noise"> the noise</label></fieldset>
<div class="controls"><button type="button"><svg viewBox="0 0 24 24"><path/></svg></button>
<input type="range" min="1" max="LAST" value="LAST" aria-label="time t"></div>
<label class="set"><span>fresh noise in each step: <b class="fresh"></b></span>\
<input type="range" min="0" max="1" step="0.05" value="0" aria-label="fresh noise"></label>
<output aria-live="off"><span class="time"></span><span>longest arrow <b class="longest"></b></span></output>"""
