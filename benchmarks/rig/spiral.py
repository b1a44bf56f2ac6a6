"""How well a network that trains in the playground has learned the spiral: its points beside those of the exact answer.

The spiral is a mixture of round Gaussians, and its exact answer is known. Both take the same way back, from the same
noise, with the steps that the page takes by itself. What stands for the eye is one distance: from a point to the
nearest centre of the spiral, the mean over the points, and from a centre to the nearest point, the mean over the
centres. So points beside the spiral count, and a part of it without points, too.
"""

import torch
from torch import Tensor

POINTS = 2000  # five times those of the page, for a calm mean
FACTORS = (1.5, 1.25)  # of the exact answer's distance: a spiral with points beside it; hardly to be told from it

# Keeps the weights that the worker sends, those of one message in each second after the press.
WATCH = """
window.kept = [];
window.Worker = class extends Worker {
  constructor(...how) {
    super(...how);
    this.addEventListener("message", ({ data: { steps, weights } }) => {
      const seconds = (performance.now() - window.pressed) / 1000;
      if (weights && seconds >= kept.length + 1) kept.push({ seconds, steps, weights });
    });
  }
};"""
PRESS = "() => { window.pressed = performance.now(); document.querySelector('.ddpm-playground .go').click(); }"

# The points of each network, and those of the exact answer: [[x, y, x, y, ...], ...].
DRAWN = """async ([networks, n, steps]) => {
  const from = (name) => import(new URL(`../_static/playground/${name}.mjs`, location));
  const { PREDICTIONS, posteriorMean, SCHEDULES, STEPS, uniform } = await from("diffusion");
  const { Network } = await from("network"), { answers } = await from("training");
  const { randomness, WORLDS: { spiral: { means, std } } } = await from("worlds");
  const chain = SCHEDULES.cosine(1000), times = uniform(chain, steps), net = new Network();
  const exact = (x, t) => Array.from({ length: n }, (_, i) =>
    posteriorMean(chain, means, std, x[2 * i], x[2 * i + 1], t)).flat();
  const learned = (x, t) => {
    const a = Math.sqrt(chain.alphaBar[t]), s = Math.sqrt(1 - chain.alphaBar[t]);
    return answers(net, x, n, t / chain.T).map((output, i) =>
      Math.max(-3, Math.min(3, PREDICTIONS.v.x0(a, s, output, x[i]))));
  };
  const back = (guess) => {
    const { normal } = randomness(11), x = Float64Array.from({ length: 2 * n }, normal);
    for (let k = 0; k + 1 < times.length; k++) {
      const x0 = guess(x, times[k]);
      for (let i = 0; i < 2 * n; i++) x[i] = STEPS.ddpm(chain, x[i], x0[i], times[k], times[k + 1], normal());
    }
    return Array.from(x);
  };
  const found = networks.map((weights) => { net.weights = weights; return back(learned); });
  return { means, exact: back(exact), learned: found };
}"""


def distance(points: Tensor, centres: Tensor) -> float:
    """mean_i min_k |points_i - centres_k| + mean_k min_i |points_i - centres_k|, both (n, 2)."""
    apart = torch.cdist(points, centres)
    return (apart.amin(1).mean() + apart.amin(0).mean()).item()


def since(seconds: list[float], ratios: list[float], factor: float) -> float | None:
    """The time from which on every ratio is within the factor; None if the last one is not."""
    found = None
    for second, ratio in zip(reversed(seconds), reversed(ratios), strict=True):
        if ratio > factor:
            break
        found = second
    return found


def ratios(page, networks: list) -> list[float]:
    """The distance of each network's points, divided by that of the exact answer's; on a page of the book."""
    found = page.evaluate(DRAWN, [networks, POINTS, 50])
    means, exact, *learned = (
        torch.tensor(numbers).reshape(-1, 2) for numbers in (found["means"], found["exact"], *found["learned"])
    )
    return [distance(points, means) / distance(exact, means) for points in learned]


def learning(page, link: str, seconds: int = 20) -> tuple[list[float], list[int], list[float]]:
    """(seconds after the press, steps of training by then, the ratio then), one each second; judged when all is over,
    so that the training has the processor for itself."""
    page.add_init_script(WATCH)
    page.goto(link)
    page.evaluate(PRESS)
    page.wait_for_function(f"kept.length >= {seconds}", timeout=10_000 * seconds)
    page.evaluate(PRESS)  # and the pause
    kept = page.evaluate(
        f"kept.slice(0, {seconds}).map((one) => ({{ ...one, weights: one.weights.map((row) => Array.from(row)) }}))"
    )
    times, steps = ([one[name] for one in kept] for name in ("seconds", "steps"))
    return times, steps, ratios(page, [one["weights"] for one in kept])
