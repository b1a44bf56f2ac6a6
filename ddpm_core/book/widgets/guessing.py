"""Guess the digit in the noise: the reader's hit rate at each noise level, beside a network's."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm_core.book.widgets.figure import MARKS, InteractiveFigure, encode_array, floats, image_and_noise
from ddpm_core.data.transforms import to_uint8
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import Schedule


def guess_digit(
    schedule: Schedule, times: Sequence[int], x0: Tensor, eps: Tensor, labels: Tensor, guesses: Tensor,
    read: Tensor, rates: Sequence[float], *, label: str,
) -> InteractiveFigure:  # fmt: skip
    """One digit after the other at one of K times: x_t, then the network's x_0 hat and the truth, once one has guessed.

    times    K rising times in 1..T
    x0, eps  N digits and their noise, (N, C, H, W), as in `scrub`; labels (N,), 0..9
    guesses  (K, N, C, H, W): what the network takes each of them for at each time
    read     (K, N): which digit a reader of clean pictures reads in that
    rates    K hit rates of the network, measured on more digits than these

    Digit n is asked at the time `asked(N, K)[n]`; afterwards a slider shows the same digit at the other times.
    `.frame(n, k)` is (x_t, x_0 hat), each uint8 (C, H, W), of digit n at times[k]. Raises ValueError for anything else.
    """
    x0, eps = image_and_noise(x0, eps)
    times, N, K = [int(t) for t in times], len(x0), len(times)
    if x0.ndim != 4 or x0.shape[1] not in (1, 3) or not x0.numel():
        raise ValueError(f"need images shaped (N, C, H, W) with C = 1 or 3, but got shape {tuple(x0.shape)}.")
    if K < 2 or times != sorted(set(times)) or times[0] < 1 or times[-1] > schedule.T:
        raise ValueError(f"need at least two rising times in 1..{schedule.T}, but got {times}.")
    if guesses.shape != (K, *x0.shape):
        raise ValueError(f"need guesses shaped {(K, *x0.shape)}, but they are {tuple(guesses.shape)}.")
    _whole_numbers("labels", labels, (N,))
    _whole_numbers("what is read", read, (K, N))
    if len(rates) != K or not all(0 <= rate <= 1 for rate in rates):
        raise ValueError(f"need {K} hit rates between 0 and 1, one for each time, but got {list(rates)}.")

    sent_x0 = encode_array(x0, torch.uint8, 1 / 127.5, zero=-1)
    sent_eps = encode_array(eps, torch.int8, 4 / 127)
    alpha_bar = encode_array(schedule.alpha_bar[torch.tensor(times)], torch.float32)
    shown = to_uint8(floats("guesses", guesses))
    sent = {"x0": sent_x0[1], "eps": sent_eps[1], "alpha_bar": alpha_bar[1]}
    sent |= {"guesses": encode_array(shown, torch.uint8)[1]}
    payload = {
        "times": times, "shape": [1, *x0.shape[1:]], "columns": 1, "labels": labels.tolist(), "read": read.tolist(),
        "rates": [round(float(rate), 4) for rate in rates], "asked": asked(N, K), "arrays": sent,
    }  # fmt: skip

    def frame(n: int, k: int) -> tuple[Tensor, Tensor]:
        now = torch.tensor([times[k]])
        return to_uint8(q_sample(schedule, sent_x0[0][n : n + 1], now, sent_eps[0][n : n + 1]))[0], shown[k, n]

    H, W = x0.shape[2:]
    panels = "".join(
        f'<div class="panel"><p>{name}</p><div><canvas role="img" width="{W}" height="{H}" aria-label="{words}">'
        f'</canvas></div><p class="said"></p></div>'
        for name, words in _PANELS.items()
    )
    digits = "".join(f'<button type="button">{digit}</button>' for digit in range(10))
    body = f"""<div class="panels">{panels}</div>
<div class="keys" role="group" aria-label="which digit is it?">{digits}</div>
<p class="verdict" aria-live="polite"></p>
<div class="after"><label><span class="time"></span><input type="range" min="0" max="{K - 1}" aria-label="time t">
</label><button type="button" class="next">next digit</button></div>
<p class="title">right guesses, by the time t: <span class="you">you</span> and <span class="net">the network</span></p>
<svg class="rates" role="img" height="150" style="--you: {MARKS[0][0]}; --net: {MARKS[1][0]}"><g></g></svg>"""
    return InteractiveFigure("guess", label, payload, body, ["tile", "guess"], frame)


def asked(N: int, K: int) -> list[int]:
    """At which of K times each of N digits is asked: every K in a row have one each, and the first a middle one."""
    generator, places = seeded(K), []
    while len(places) < N:
        places += torch.randperm(K, generator=generator).tolist()
    first = places.index((K - 1) // 2)
    places[0], places[first] = places[first], places[0]
    return places[:N]


def _whole_numbers(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    if x.shape != shape or x.is_floating_point() or x.min() < 0 or x.max() > 9:
        raise ValueError(f"need {name} as whole numbers 0..9 of shape {shape}, but got {x.dtype} {tuple(x.shape)}.")


_PANELS = {
    "<i>x<sub>t</sub></i> &ensp;what you see": "x_t, a digit in noise",
    "<i>x̂</i><sub>0</sub> &ensp;the network's guess": "x_0 hat, what the network takes it for",
    "<i>x</i><sub>0</sub> &ensp;the truth": "x_0, the clean digit",
}
