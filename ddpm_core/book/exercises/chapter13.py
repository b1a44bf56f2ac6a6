"""The exercises of chapter 13, guidance and text to image."""

import torch

from ddpm_core import sampler
from ddpm_core.book.exercises.answers import expect, farthest, noise, pair, tensor, whole
from ddpm_core.book.exercises.exercise import Exercise, function, require
from ddpm_core.diffusion import guidance, mixture, timesteps
from ddpm_core.diffusion.noise import seeded
from ddpm_core.schedule import cosine

SCHEDULE = cosine(1000)
MEANS = [[-0.8, 0.1], [0.1, 0.75], [0.75, -0.55], [0.15, -0.05]]  # the second and the third are the class
WORLD = mixture.isotropic([0.25] * 4, MEANS, std=0.28)
CLASS = mixture.isotropic([0.5, 0.5], MEANS[1:3], std=0.28)
ASTRAY, SPREAD = 0.015, 0.9  # at most, at least


def astray_and_spread(x0: torch.Tensor) -> tuple[float, float]:
    """Share of points (N, 2) that are more likely of another class, and their spread within a mode, 1 if it is true."""
    now = torch.ones(len(x0), dtype=torch.long)
    of_class = WORLD.responsibilities(SCHEDULE, x0, now)[:, 1:3].sum(1)
    mode = (x0[:, None] - CLASS.means).square().sum(2).argmin(1)
    within = torch.stack([x0[mode == k].var(0).mean() for k in (0, 1)]).mean().sqrt()
    return (of_class < 0.5).double().mean().item(), (within / 0.28).item()


def guided_points(scale: float, interval: guidance.Interval = None, n: int = 600) -> torch.Tensor:
    """n points of the class, guided so much at these times; 50 steps of DDIM."""
    denoise = guidance.guided(CLASS.denoiser(SCHEDULE), WORLD.denoiser(SCHEDULE), scale, interval)
    x_T = torch.randn(n, 2, generator=seeded(1), dtype=torch.float64)
    return sampler.final(sampler.ddim(denoise, SCHEDULE, x_T, timesteps.uniform(SCHEDULE, 50)))


def _guided(answer) -> None:
    for scale, n in ((2.0, 3), (0.0, 2), (-1.0, 2), (0.5, 4)):
        with_label, without, x_t, t = noise(1, n, 2), noise(2, n, 2), noise(3, n, 2), torch.arange(1, n + 1)
        asked = []

        def told(x, now, found=with_label, asked=asked):
            asked.append((x, now))
            return found

        denoise = function(answer(told, lambda x, now, found=without: found, scale))
        got = tensor(denoise(x_t, t), "x0_hat, shaped like x_t", x_t)
        require(asked == [(x_t, t)], "ask each denoiser once, with the same x_t and t.")
        right, apart = with_label + scale * (with_label - without), with_label - without
        mistakes = {
            "that is the other convention, without + scale (with - without); 13.5 begins at `conditional`.": without
            + scale * apart,
            "the difference has the wrong sign: away from the answer without a label.": with_label - scale * apart,
            "that is the difference alone; it is added to the answer with the label.": scale * apart,
            "leave the clamp to the sampler: the mixture is held to [-1, 1], not its parts.": with_label.clamp(-1, 1)
            + scale * (with_label.clamp(-1, 1) - without.clamp(-1, 1)),
        }
        there, here = farthest(right, got)
        expect(got, right, mistakes, f"with scale {scale:g} it should give {there:.4f}, not {here:.4f}.")


def _interval(answer) -> None:
    first, last = (whole(part) for part in pair(answer, "the first time", "the last time"))
    require(1 <= first <= last <= 1000, f"need times 1 <= first <= last <= 1000, but got {first} and {last}.")
    astray, spread = astray_and_spread(guided_points(4.0, (first, last)))
    found = f"{astray:.3f} of the points go astray and their spread is {spread:.3f}"
    require(
        astray <= ASTRAY or spread >= SPREAD,
        f"{found}: both are missed; which end of the chain costs spread, and which decides the class?",
    )
    require(astray <= ASTRAY, f"{found}: the spread is kept, but too many go astray; guide at more times.")
    require(spread >= SPREAD, f"{found}: hardly any goes astray, but the spread is too small; begin at a later time.")


def _looks(answer) -> None:
    for seed, (positions, words, width) in enumerate(((5, 4, 9), (3, 6, 4))):
        q, k = noise(seed, positions, width), noise(9 + seed, words, width)
        empty = torch.arange(words) >= words - 2
        scores = q @ k.T / width**0.5
        masked, all_of_them = scores.masked_fill(empty, -torch.inf), scores.softmax(-1)
        right, filled = masked.softmax(-1), scores.masked_fill(empty, 0)
        got = tensor(answer(q, k, empty), "one share for each position and word", right)
        mistakes = {
            "divide the products by the root of the width, k.shape[1] ** 0.5.": (masked * width**0.5).softmax(-1),
            "the empty places got a share; put minus infinity there before the softmax.": all_of_them,
            "a score of 0 still gets a share, since e^0 is 1; put minus infinity.": filled.softmax(-1),
            "the shares should sum to 1 over the words, `softmax(-1)`, not over the positions.": scores.softmax(0),
            "set to 0 after the softmax, the shares no longer sum to 1.": all_of_them.masked_fill(empty, 0),
        }
        there, here = farthest(right, got)
        expect(got, right, mistakes, f"one share should be {there:.4f}, but yours is {here:.4f}.")


EXERCISES = {
    "13.1": Exercise("ask both denoisers, then 13.5; return the inner function.", _guided),
    "13.2": Exercise(
        "run the cell of the thirds with other times; (first, last) are whole numbers from 1 to 1000.",
        _interval,
        lambda answer: answer,
    ),
    "13.3": Exercise("which scores does 13.7 take the softmax of? And which scores get no share at all?", _looks),
}
