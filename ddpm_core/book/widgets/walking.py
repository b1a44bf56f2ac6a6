"""One cloud of points destroyed in three ways, side by side: by walking the chain, by jumping, on a straight line."""

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import MARKS, encode_array, image_and_noise
from ddpm_core.book.widgets.hashed_noise import normals
from ddpm_core.book.widgets.scrubber import POINT_STEP, Scrubber
from ddpm_core.diffusion.flow import interpolate, linear_path
from ddpm_core.diffusion.gaussian import q_sample, q_step
from ddpm_core.schedule import Schedule


def walk_and_jump(
    schedule: Schedule, x0: Tensor, eps: Tensor, *, groups: Tensor, label: str, opens: int = 0
) -> Scrubber:
    """Three clouds at one time t in 0..T, each with its variance and the way of the outermost point of every group.

    walk   x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z_t, fresh noise at each step   [chapter 1, Eq. 1.1]
    jump   x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps                       [chapter 1, Eq. 1.10]
    blend  (1 - t/T) x_0 + (t/T) eps, the straight line

    x0, eps (N, 2) float, x0 within [-3, 3]; groups (N,) whole numbers 0..2, told by colour and by shape. The figure
    opens at t = `opens`. `.frame(t)` is all three, (3, N, 2). Raises ValueError for anything else.
    """
    x0, eps = image_and_noise(x0, eps, bound=3)
    if x0.ndim != 2 or x0.shape[1] != 2 or not len(x0):
        raise ValueError(f"need points x0 shaped (N, 2), but got shape {tuple(x0.shape)}.")
    groups, N, T = torch.as_tensor(groups).cpu(), len(x0), schedule.T
    if groups.shape != (N,) or set(groups.tolist()) != {0, 1, 2}:
        raise ValueError(
            f"need one of the groups 0, 1, 2 for each of {N} points, and a point for each, but got {groups}."
        )
    if not 0 <= opens <= T:
        raise ValueError(f"need a time in 0..{T} to open at, but got {opens}.")
    x0, sent_x0 = encode_array(x0, torch.int16, POINT_STEP)
    eps, sent_eps = encode_array(eps, torch.int16, POINT_STEP)
    arrays = {"x0": sent_x0, "eps": sent_eps, "groups": encode_array(groups, torch.uint8)[1]}
    for name in ("alpha_bar", "beta"):
        arrays[name] = encode_array(getattr(schedule, name), torch.float32)[1]
    z = torch.from_numpy(normals(T * 2 * N)).reshape(T, N, 2)  # z[t - 1] is the noise of step t

    def frame(t: int) -> Tensor:
        walked = x0
        for s in range(1, t + 1):
            walked = q_step(schedule, walked, torch.full((N,), s), z[s - 1])
        now = torch.full((N,), t)
        return torch.stack([walked, q_sample(schedule, x0, now, eps), interpolate(linear_path(T), x0, now, eps)])

    panels = "".join(
        f'<div class="panel"><p><b>{name}</b> {words}</p><div class="plane">'
        f'<canvas role="img" width="400" height="400" aria-label="{N} points, {name}: {words}"></canvas>'
        f'<svg viewBox="-3 -3 6 6" aria-hidden="true"><circle class="unit" r="1.4142"/><circle class="now"/>'
        f'{"<path/>" * 3}</svg></div><p class="size">variance <b></b></p></div>'
        for name, words in _WAYS.items()
    )
    following = [int((x0.norm(dim=1) * (groups == k)).argmax()) for k in range(3)]  # the outermost
    payload = {"marks": MARKS, "N": N, "following": following, "opens": opens, "arrays": arrays}
    scripts = ["normals", "marks", "walk"]
    return Scrubber(label, payload, f'<div class="ways">{panels}</div>', frame, scripts, range(T + 1))


_WAYS = {
    "walk": "fresh noise at every step",
    "jump": "one noise, from the start at once",
    "straight line": "one noise, blended in",
}
