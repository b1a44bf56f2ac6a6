"""The summands of each line of chapter 4's derivation, in the world of three steps."""

import torch
from torch import Tensor

from ddpm_core.book.elbo_derivation import World, bound_at, importance, jensen, negative_log_likelihood


def summands(w: World) -> dict[str, list[float]]:
    """The summands of each line, "4.3" to "4.11", in their order: they add up to the line, in nats.

    In 4.8 the fraction of the two jumps stands in the same summand as the step that it came with.
    """
    end, first = -w.log_p_end, w.log_q[1] - w.log_p[1]
    steps = [w.log_q[t] - w.log_p[t] for t in (3, 2)]
    turned = [w.log_q_back[t] - w.log_p[t] for t in (3, 2)]
    jumps = [w.log_q_jump[t] - w.log_q_jump[t - 1] for t in (3, 2)]

    def means(*parts: Tensor) -> list[float]:
        return [float(w.expect(part)) for part in parts]

    paired = means(end, *steps, first)
    return {
        **{n: [float(line(w))] for n, line in (("4.3", negative_log_likelihood), ("4.4", importance), ("4.5", jensen))},
        "4.6": paired,
        "4.7": paired,
        "4.8": means(end, turned[0] + jumps[0], turned[1] + jumps[1], first),
        "4.9": means(end, *turned, w.log_q_jump[3] - w.log_q_jump[1], first),
        "4.10": means(end + w.log_q_jump[3], *turned, -w.log_p[1]),
        "4.11": bound_at(w, torch.tensor([w.x0], dtype=torch.float64))[:, 0].tolist(),
    }
