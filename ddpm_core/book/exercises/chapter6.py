"""The exercises of chapter 6, the simplified loss."""

from itertools import product

import torch

from ddpm_core.book.exercises.answers import expect, noise, number, same, tensor, within
from ddpm_core.book.exercises.exercise import Exercise, require
from ddpm_core.diffusion.gaussian import q_sample
from ddpm_core.diffusion.loss import vlb
from ddpm_core.diffusion.mixture import isotropic
from ddpm_core.diffusion.prediction import EPS, X0
from ddpm_core.schedule import cosine, linear


def _simple_loss(function) -> None:
    schedule, t = linear(100), torch.tensor([1, 5, 20, 50, 90, 100])
    x0, eps, output = noise(0, 3, 6, 1, 4, 4)
    asked = []

    def net(x_t, *time, **named):
        asked.append((x_t, *time, *named.values()))
        return output

    got = function(net, schedule, x0, t, eps)
    require(len(asked) > 0, "your function never asks the network; call `net(x_t, t)`.")
    require(len(asked) == 1, f"ask the network once for the whole batch; yours asks {len(asked)} times.")
    x_t, *time = asked[0]
    told = len(time) == 1 and torch.is_tensor(time[0]) and time[0].shape == t.shape and same(time[0], t)
    require(told, "tell the network the times too: `net(x_t, t)`.")
    require(torch.is_tensor(x_t) and x_t.shape == x0.shape, "the network should see a batch shaped like x0.")
    require(not same(x_t, x0), "your network sees the clean picture; there is no noise in it to guess.")
    right_x_t = q_sample(schedule, x0, t, eps)
    require(same(x_t, right_x_t), "what your network sees is not the x_t of Equation 1.10.")
    require(getattr(got, "ndim", 0) == 0, "the loss should be one number: take the mean over everything.")
    got, right = number(got), (eps - output).square().mean()
    mistakes = {
        "that is the sum over everything; take the mean.": right * x0.numel(),
        "that is 6.1 as the paper writes it, summed over the pixels; here their mean is wanted.": right * x0[0].numel(),
        "you compare the output with the picture; this network's target is the noise.": (x0 - output).square().mean(),
        "that is the mean absolute error; 6.1 has a square.": (eps - output).abs().mean(),
    }
    otherwise = f"the network saw the right x_t and t, but the loss is {got:.4f} and should be {right:.4f}."
    expect(got, right, mistakes, otherwise)


def _weight_on_x0(function) -> None:
    for schedule in (linear(1000), cosine(50)):
        t = torch.arange(1, schedule.T + 1)
        got = tensor(function(schedule, t), "one weight for each time in t", t)
        right, on_eps, snr = vlb(schedule, t, X0), vlb(schedule, t, EPS), schedule.snr[t]
        of_beta_tilde = 0.5 * (schedule.snr[t - 1] - snr)
        mistakes = {
            "that is 6.2, the weight on the error of the noise; turn one error into the other.": on_eps,
            "upside down: which of the two errors is SNR_t times the other?": on_eps / snr,
            "the errors in the loss are squared, so the factor is squared as well.": on_eps * snr.sqrt(),
            "that is the weight that L_simple gives to the picture (6.4); the bound's is wanted.": snr,
            "that is 4.17, for a variance of beta_tilde; here the variance is beta.": of_beta_tilde,
        }
        k = int((got / right - 1).abs().argmax())
        otherwise = f"for {schedule} at t = {k + 1} yours is {got[k]:.4g} and should be {right[k]:.4g}."
        expect(got, right, mistakes, otherwise)


def _floor_of_noise(function) -> None:
    t = torch.tensor([1, 2, 10, 25, 50])
    for schedule, data_variance in product((linear(1000), cosine(50)), (0.25, 3.0)):
        got = tensor(function(schedule, t, data_variance), "one floor for each time in t", t)
        world, alpha_bar = isotropic([1.0], [[0.0]], std=data_variance**0.5), schedule.alpha_bar[t]
        of_x0 = world.posterior_variance(schedule, torch.zeros(len(t), 1).double(), t)[:, 0]
        right = schedule.snr[t] * of_x0
        squared = alpha_bar * data_variance**2 / (alpha_bar * data_variance**2 + 1 - alpha_bar)
        mistakes = {
            "that is what stays unknown of the picture; of the noise it is SNR_t times as much.": of_x0,
            "that is the share of the noise that can be known; the floor is the rest.": 1 - right,
            "right for a variance of 1, but the data's variance has no say in yours.": alpha_bar,
            "data_variance is s² already; do not square it again.": squared,
            "that is its root; the floor is a mean square.": right.sqrt(),
        }
        k = int((got - right).abs().argmax())
        otherwise = (
            f"for {schedule}, s² = {data_variance} and t = {t[k]} yours is {got[k]:.7f} and should be {right[k]:.7f}."
        )
        expect(got, right, mistakes, otherwise)


def _perfect_loss(loss: float) -> None:
    def floor(std: float, schedule=linear) -> float:
        world, s = isotropic([0.3, 0.7], [[-1.0], [0.8]], std=std), schedule(1000)
        return (s.snr[1:] * world.mmse(s, torch.arange(1, 1001))).mean().item()

    blurred, t = isotropic([0.3, 0.7], [[-1.0], [0.8]], std=0.7), torch.arange(1, 1001)
    mistakes = {
        "that is the old world's; make a new mixture with std=0.7.": floor(0.35),
        "that is the floor under the cosine schedule; the linear one was asked for.": floor(0.7, cosine),
        "that is the error of the picture; of the noise it is SNR_t times as much, at each t.": (
            blurred.mmse(linear(1000), t).mean().item()
        ),
        "std is the standard deviation: 0.7, not its square.": floor(0.49),
    }
    otherwise = f"the mean over t = 1..1000 of SNR_t times the mmse is not {loss:.3g}."
    expect(loss, floor(0.7), mistakes, otherwise, within(0.002))


EXERCISES = {
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
    "6.4": Exercise(
        "make the mixture with std=0.7; its floor at t is SNR_t times `mmse`, and L_simple is the mean over t.",
        _perfect_loss,
        read=number,
    ),
}
