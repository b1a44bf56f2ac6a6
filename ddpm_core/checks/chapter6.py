"""The exercises of chapter 6, the simplified loss."""

import torch

from ..exact import mixture
from ..gaussian import q_sample
from ..predict import EPS, X0
from ..schedule import cosine, linear
from ..verdict import Exercise, need
from ..weighting import vlb


def _simple_loss(function) -> None:
    schedule, generator = linear(100), torch.Generator().manual_seed(0)
    x0, eps, answer = (torch.randn(6, 1, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    t, asked = torch.tensor([1, 5, 20, 50, 90, 100]), []

    def net(x_t, *time, **named):
        asked.append((x_t, *time, *named.values()))
        return answer

    got = function(net, schedule, x0, t, eps)
    need(got is not None, "your function returns nothing; end it with `return`.")
    need(len(asked) > 0, "your function never asks the network; call `net(x_t, t)`.")
    need(len(asked) == 1, f"ask the network once for the whole batch; yours asks {len(asked)} times.")
    x_t, *time = asked[0]
    need(len(time) == 1 and torch.equal(torch.as_tensor(time[0]), t), "tell the network the times too: `net(x_t, t)`.")
    need(torch.is_tensor(x_t) and x_t.shape == x0.shape, "the network should see a batch shaped like x0.")
    need(not torch.equal(x_t, x0), "your network sees the clean picture; there is no noise in it to guess.")
    need(torch.allclose(x_t, q_sample(schedule, x0, t, eps)), "what your network sees is not the x_t of Equation 1.10.")
    need(torch.as_tensor(got).ndim == 0, "the loss should be one number: take the mean over everything.")
    got, squares = float(got), (eps - answer) ** 2
    need(abs(got - squares.mean().item() * x0.numel()) > 1e-9, "that is the sum over everything; take the mean.")
    need(
        abs(got - squares.mean().item() * x0[0].numel()) > 1e-9,
        "that is 6.1 as the paper writes it, summed over the pixels; here the mean over pixels is wanted, too.",
    )
    need(
        abs(got - ((x0 - answer) ** 2).mean().item()) > 1e-9,
        "you compare the answer with the picture; this network is asked for the noise.",
    )
    need(abs(got - (eps - answer).abs().mean().item()) > 1e-9, "that is the mean absolute error; 6.1 has a square.")
    need(
        abs(got - squares.mean().item()) < 1e-9,
        f"the network saw the right x_t and t, but the loss is {got:.4f} and should be {squares.mean().item():.4f}.",
    )


def _weight_on_x0(function) -> None:
    for schedule in (linear(1000), cosine(50)):
        t = torch.arange(1, schedule.T + 1)
        got = function(schedule, t)
        need(torch.is_tensor(got) and got.shape == t.shape, "return a tensor with one weight for each time in t.")
        right, on_eps, snr = vlb(schedule, t, X0), vlb(schedule, t, EPS), schedule.snr[t]
        need(
            not _same(got, on_eps), "that is 6.2, the weight on the error of the noise; turn one error into the other."
        )
        need(not _same(got, on_eps / snr), "upside down: which of the two errors is SNR_t times the other?")
        need(
            not _same(got, on_eps * snr.sqrt()), "the errors in the loss are squared, so the factor is squared as well."
        )
        need(not _same(got, snr), "that is the weight that L_simple gives to the picture (6.4); the bound's is wanted.")
        need(
            not _same(got[1:], 0.5 * (schedule.snr[t - 1] - snr)[1:]),
            "that is 4.17, for a variance of beta_tilde; here the variance is beta.",
        )
        worst = int((got / right - 1).abs().argmax())
        need(
            _same(got, right),
            f"for {schedule} at t = {worst + 1} yours is {float(got[worst]):.4g} and should be {right[worst]:.4g}.",
        )


def _floor_of_noise(function) -> None:
    t = torch.tensor([1, 2, 10, 25, 50])
    for schedule in (linear(1000), cosine(50)):
        for data_variance in (0.25, 3.0):
            got = function(schedule, t, data_variance)
            need(torch.is_tensor(got) and got.shape == t.shape, "return a tensor with one floor for each time in t.")
            world, alpha_bar = mixture([1.0], [[0.0]], std=data_variance**0.5), schedule.alpha_bar[t]
            of_x0 = world.spread(schedule, torch.zeros(len(t), 1).double(), t)[:, 0]
            right = schedule.snr[t] * of_x0
            squared = alpha_bar * data_variance**2 / (alpha_bar * data_variance**2 + 1 - alpha_bar)
            for word, wrong in {
                "that is what stays unknown of the picture; of the noise it is SNR_t times as much.": of_x0,
                "that is the share of the noise that can be known; the floor is the rest.": 1 - right,
                "right for a variance of 1, but the data's variance has no say in yours.": alpha_bar,
                "data_variance is s² already; do not square it again.": squared,
                "that is its root; the floor is a mean square.": right.sqrt(),
            }.items():
                need(not _same(got, wrong), word)
            worst = int((got - right).abs().argmax())
            need(
                _same(got, right),
                f"for {schedule}, s² = {data_variance} and t = {int(t[worst])} yours is {float(got[worst]):.7f} "
                f"and should be {right[worst]:.7f}.",
            )


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=1e-6, atol=1e-12)


CHECKS = {
    "6.1": Exercise(
        "make x_t with `gaussian.q_sample`, ask the network for the noise in it, and square what it gets wrong.",
        _simple_loss,
    ),
    "6.2": Exercise(
        "put x_0 - x0_hat = -sqrt((1 - alpha_bar_t) / alpha_bar_t) (eps - eps_theta) into w_t |eps - eps_theta|².",
        _weight_on_x0,
    ),
    "6.3": Exercise(
        "a is eps and b is x_t. x_0 and eps are independent: what is Var[x_t], and what is Cov[eps, x_t]?",
        _floor_of_noise,
    ),
}
