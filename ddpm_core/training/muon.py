"""Muon: every matrix inside the network moves by an orthogonal matrix, all other weights by Adam's step.

Of all steps D of spectral norm 1, D = U V^T goes along the gradient G = U S V^T the farthest: <G, D> <= the sum of G's
singular values, which U V^T reaches. It turns every direction that G stretches into a step of the same length, also
those that are drowned by a few large ones. A short iteration of products comes close enough, without an SVD.
[Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Bernstein and Newhouse 2024, "Old
optimizer, new norm: an anthology"]
"""

from operator import attrgetter

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from ddpm_core.diffusion.arguments import checked, in_range

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steep at 0, so that five steps are enough  [Jordan et al. 2024]
MOST = 1000  # steps: five are enough
SMALLEST = 1e-7  # a gradient shorter than this is rounding, and is not blown up to a full step


@checked
def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """Nearly U V^T of the matrix U S V^T, (..., m, n): Newton-Schulz,  X <- a X + b (X X^T) X + c (X X^T)^2 X.

    Starts at X = matrix / (its Frobenius norm), whose singular values are at most 1. A step keeps U and V, and sends a
    singular value s to a s + b s^3 + c s^5 (`stretched`): in five steps those above 0.0015 come to 0.68..1.21.
    [Jordan et al. 2024; the iteration: Bjorck and Bowie 1971]
    """
    in_range("steps", steps, 0, MOST)
    if matrix.ndim < 2 or not matrix.numel():
        raise ValueError(f"need matrix as (..., m, n), but got shape {tuple(matrix.shape)}.")
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[-2] <= matrix.shape[-1] else matrix.mT  # the smaller of both Gram matrices
    X = wide / torch.linalg.matrix_norm(wide, keepdim=True).clamp(min=SMALLEST)
    for _ in range(steps):
        A = X @ X.mT  # (..., m, m)
        X = a * X + (b * A + c * A @ A) @ X
    return X if wide is matrix else X.mT


@checked
def stretched(s: Tensor, steps: int = 5) -> Tensor:
    """What the iteration makes of singular values of the normalised matrix, elementwise:  s <- a s + b s^3 + c s^5."""
    in_range("steps", steps, 0, MOST)
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


def orthogonaliser(gram: Tensor, steps: int = 5) -> Tensor:
    """P with P X = orthogonalised(X), from gram = X X^T alone, (B, m, m) -> (B, m, m): the same in small products.

    A = gram / trace is that of the normalised X, and a step is X <- p X with p = a I + b A + c A^2. All these are
    polynomials of one symmetric matrix and commute: the next Gram matrix is A <- p A p, and P the product of the p.
    """
    a, b, c = COEFFICIENTS
    norm = gram.diagonal(dim1=1, dim2=2).sum(1).sqrt().clamp(min=SMALLEST)[:, None, None]
    A, P = gram / norm**2, None
    for step in range(steps):
        p = torch.baddbmm(A, A, A, beta=b, alpha=c)
        p.diagonal(dim1=1, dim2=2).add_(a)
        P = p if P is None else p @ P
        if step < steps - 1:
            A = p @ A @ p
    return P / norm


def as_matrix(weight: Tensor) -> Tensor:
    """A view of a weight as the matrix that it is: (out, in), or a convolution (out, in, h, w) as (out, in h w).

    A convolution multiplies each patch of in h w numbers by it. Its columns stand as they lie in memory, (h, w, in) for
    channels_last: another order of columns is a rotation, which `orthogonalised` commutes with. Raises ValueError for
    other shapes.
    """
    if not isinstance(weight, Tensor):
        raise ValueError(f"need weight as a tensor, but got {weight!r:.60}.")
    if weight.ndim == 2:
        return weight
    if weight.ndim != 4:
        raise ValueError(f"need a matrix or a convolution (out, in, h, w), but got shape {tuple(weight.shape)}.")
    return (weight if weight.is_contiguous() else weight.permute(0, 2, 3, 1)).view(len(weight), -1)


@checked
def inner_matrices(net: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices and convolutions inside the network, all other weights): Muon's, Adam's.

    Inside is what does not stand on the edge, and each module names its own: `edge`, its parts that touch images,
    times, labels or the answer, or where these enter. Biases, norms and embeddings are Adam's wherever they stand.
    Raises ValueError for a network without `edge`, and for a weight inside that is neither vector, matrix nor
    convolution.
    """
    if not hasattr(net, "edge"):
        raise ValueError(
            "need a network that names its first and last layers, as in net.edge = ('stem', 'head'), "
            f"but this {type(net).__name__} does not."
        )
    edge: set[nn.Parameter] = set()
    for module in net.modules():
        parts = [attrgetter(name)(module) for name in getattr(module, "edge", ())]
        for part in [*parts, *([module] if isinstance(module, nn.Embedding) else [])]:
            edge |= set(part.parameters()) if isinstance(part, nn.Module) else {part}
    inner, others = [], []
    for name, weight in net.named_parameters():
        inside = weight.ndim > 1 and weight not in edge
        if inside and weight.ndim not in (2, 4):
            raise ValueError(
                f"need vectors, matrices and convolutions (out, in, h, w) inside the network, but {name} has shape "
                f"{tuple(weight.shape)}; named in `edge`, it is left to Adam."
            )
        (inner if inside else others).append(weight)
    return inner, others


class Muon(torch.optim.Optimizer):
    """M <- mu M + (1 - mu) G;  W <- W - lr sqrt(max(1, rows / columns)) orthogonalised(mu M + (1 - mu) G).

    The second mixture looks one step ahead (Nesterov). With the root, a step changes what a layer makes of numbers
    around 1 by about lr, however wide the layer is. `others` make Adam's steps with `adam_lr`. The two rates belong to
    two groups, as torch's schedules expect it: what multiplies both keeps their ratio.

    matrices, others  weights, as `inner_matrices` parts them
    momentum          mu; the mean of the last 1 / (1 - mu) gradients or so
    steps             of Newton-Schulz   [Jordan et al. 2024; Bernstein and Newhouse 2024]

    A matrix whose gradients were all 0 stays. Raises ValueError for a weight in `matrices` that is none.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[nn.Parameter],
        lr: float = 0.02,
        adam_lr: float = 2e-3,
        momentum: float = 0.95,
        steps: int = 5,
    ):
        for weight in matrices:
            as_matrix(weight)
        super().__init__(
            [
                {"params": matrices, "lr": lr, "momentum": momentum, "steps": steps},
                {"params": others, "lr": adam_lr, "betas": (0.9, 0.99), "eps": 1e-8, "fused": True},
            ],
            {},
        )

    @torch.no_grad()
    def step(self, closure=None):
        """One step of both; returns the closure's loss, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                (self._muon if "momentum" in group else self._adam)(group, weights)
        return loss

    def _muon(self, group: dict, weights: list[Tensor]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        gradients, means = [weight.grad for weight in weights], [self.state[w]["momentum_buffer"] for w in weights]
        torch._foreach_lerp_(means, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(means, gradients, 1 - group["momentum"])
        pairs = [(as_matrix(weight), as_matrix(update)) for weight, update in zip(weights, ahead, strict=True)]
        for side in {min(W.shape) for W, _ in pairs}:  # matrices with Gram matrices of one size go through together
            same = [pair for pair in pairs if min(pair[0].shape) == side]
            grams = torch.stack([G @ G.mT if len(G) == side else G.mT @ G for _, G in same])
            for (W, G), P in zip(same, orthogonaliser(grams, group["steps"]), strict=True):
                rate = group["lr"] * max(1, W.shape[0] / W.shape[1]) ** 0.5
                W.addmm_(*((P, G) if len(G) == side else (G, P)), alpha=-rate)

    def _adam(self, group: dict, weights: list[Tensor]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] |= {"step": torch.zeros((), dtype=torch.float32, device=weight.device)}
                self.state[weight] |= {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        states = [self.state[weight] for weight in weights]
        means, squares, steps = ([s[name] for s in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        adam(
            weights, [weight.grad for weight in weights], means, squares, [], steps, fused=True, amsgrad=False,
            beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"], weight_decay=0.0, eps=group["eps"],
            maximize=False,
        )  # fmt: skip
