"""Calls of the mathematics that work, and which of their arguments may be wrong for a reason: a table of bad input."""

import torch

from ddpm_core import sampler, schedule
from ddpm_core.data import transforms
from ddpm_core.diffusion import (
    elbo,
    flow,
    gaussian,
    guidance,
    loss,
    mixture,
    noise,
    pixels,
    prediction,
    score,
    sde,
    timesteps,
    variance,
)
from ddpm_core.diffusion.model import Model
from ddpm_core.unet import UNet

S = schedule.linear(10, 0.05, 0.7)
NET = UNet(channels=(8,), num_classes=3).eval()
WORLD = mixture.isotropic([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], 0.2)
POINTS = torch.tensor([[0.1, 0.2], [0.3, -0.4], [0.0, 0.5]], dtype=torch.float64)
SIGMA = flow.linear_path(10)


def x(value=0.0):
    return torch.full((3, 1, 4, 4), value)


def grey():
    return pixels.to_float(torch.full((3, 1, 4, 4), 128, dtype=torch.uint8))


def t(*times):
    return torch.tensor(times or (2, 5, 10))


def half(x_t, t):
    return 0.5 * x_t


def generator():
    return torch.Generator().manual_seed(0)


def model():
    return Model(NET, S, prediction.V, {"size": [4, 4]})


ROAD = [10, 6, 3, 0]
CALLS = {  # function -> a call that works
    schedule.from_betas: lambda: dict(betas=[0.1, 0.2]),
    schedule.linear: lambda: dict(T=10, beta_1=0.1, beta_T=0.5),
    schedule.cosine: lambda: dict(T=10, s=0.008, beta_max=0.99),
    schedule.sigmoid: lambda: dict(T=10, start=-3.0, end=3.0, tau=1.0, beta_max=0.99),
    schedule.respaced: lambda: dict(schedule=S, times=ROAD),
    schedule.at: lambda: dict(table=S.beta, t=t(), like=x()),
    gaussian.q_step: lambda: dict(schedule=S, x_prev=x(), t=t(), eps=x(1.0)),
    gaussian.q_sample: lambda: dict(schedule=S, x0=x(), t=t(), eps=x(1.0)),
    gaussian.q_posterior: lambda: dict(schedule=S, x0=x(), x_t=x(1.0), t=t()),
    gaussian.posterior_coefficients: lambda: dict(schedule=S, t=t(), like=x()),
    gaussian.x0_from_eps: lambda: dict(schedule=S, x_t=x(), t=t(), eps=x(1.0)),
    gaussian.eps_from_x0: lambda: dict(schedule=S, x_t=x(), t=t(), x0=x(1.0)),
    gaussian.product_of_gaussians: lambda: dict(mean1=x(), variance1=x(1.0), mean2=x(1.0), variance2=x(2.0)),
    gaussian.kl: lambda: dict(mean1=x(), variance1=x(1.0), mean2=x(1.0), variance2=x(2.0)),
    prediction.denoiser: lambda: dict(net=half, schedule=S, predict=prediction.EPS),
    prediction.clip_denoised: lambda: dict(denoise=half, bound=1.0),
    guidance.guided: lambda: dict(conditional=half, unconditional=half, scale=2.0, interval=(2, 5)),
    variance.beta: lambda: dict(schedule=S, t=t(), like=x()),
    variance.beta_tilde: lambda: dict(schedule=S, t=t(), like=x()),
    variance.analytic: lambda: dict(x0_variance=torch.ones(11)),
    variance.split: lambda: dict(net=half, width=variance.between),
    loss.uniform: lambda: dict(schedule=S, t=t(), predict=prediction.EPS),
    loss.vlb: lambda: dict(schedule=S, t=t(), predict=prediction.V),
    loss.training_loss: lambda: dict(net=half, schedule=S, x0=x(), t=t(), eps=x(1.0), predict=prediction.V),
    loss.sample_timesteps: lambda: dict(schedule=S, n=4, generator=generator()),
    loss.objective: lambda: dict(schedule=S, predict=prediction.V, weight=loss.uniform),
    loss.bound: lambda: dict(schedule=S, predict=prediction.V),
    loss.hybrid: lambda: dict(schedule=S, predict=prediction.V, share=0.1),
    elbo.L_T: lambda: dict(schedule=S, x0=grey()),
    elbo.L_t: lambda: dict(schedule=S, x0=grey(), x_t=x(), t=t(), x0_hat=x(0.1)),
    elbo.L_0: lambda: dict(schedule=S, x0=grey(), x_1=x(), x0_hat=x(0.1)),
    elbo.term: lambda: dict(schedule=S, x0=grey(), x_t=x(), t=t(), x0_hat=x(0.1)),
    elbo.vlb_terms: lambda: dict(denoise=half, schedule=S, x0=grey(), generator=generator()),
    elbo.continuous_time_vlb: lambda: dict(
        denoise=half, schedule=S, x0=grey(), generator=generator(), log_snr=(-4.0, 2.0), levels=4
    ),
    elbo.rate: lambda: dict(terms=torch.ones(11, 3)),
    elbo.distortion: lambda: dict(x0=grey(), x0_hat=x()),
    elbo.bits_per_dim: lambda: dict(nats=torch.ones(3), x0=grey()),
    flow.linear_path: lambda: dict(T=10),
    flow.interpolate: lambda: dict(sigma=SIGMA, x0=x(), t=t(), eps=x(1.0)),
    flow.velocity: lambda: dict(x0=x(), eps=x(1.0)),
    flow.flow_matching: lambda: dict(sigma=SIGMA),
    flow.x0_from_velocity: lambda: dict(sigma=SIGMA, v=x(), x_t=x(1.0), t=t()),
    flow.velocity_from_x0: lambda: dict(sigma=SIGMA, x0=x(), x_t=x(1.0), t=t()),
    flow.euler_step: lambda: dict(sigma=SIGMA, v=x(), x_t=x(1.0), t=t(), t_next=t(1, 4, 9)),
    flow.euler: lambda: dict(velocity=half, sigma=SIGMA, x_T=x(1.0), times=ROAD),
    flow.alpha_bar: lambda: dict(sigma=SIGMA),
    score.from_eps: lambda: dict(schedule=S, eps=x(1.0), t=t()),
    score.to_eps: lambda: dict(schedule=S, score=x(1.0), t=t()),
    score.from_x0: lambda: dict(schedule=S, x0=x(), x_t=x(1.0), t=t()),
    score.to_x0: lambda: dict(schedule=S, score=x(), x_t=x(1.0), t=t()),
    score.from_denoiser: lambda: dict(denoise=half, schedule=S),
    sde.clock: lambda: dict(schedule=S),
    sde.noise_level: lambda: dict(schedule=S),
    sde.forward_step: lambda: dict(x=x(), h=0.1, z=x(1.0)),
    sde.backward_step: lambda: dict(x=x(), score=x(1.0), h=0.1, z=x(1.0), noise=1.0),
    sde.euler_maruyama: lambda: dict(score=half, schedule=S, x_T=x(1.0), times=ROAD, noise=1.0, generator=generator()),
    sde.probability_flow: lambda: dict(score=half),
    sde.stretched_flow: lambda: dict(denoise=half, schedule=S),
    sde.heun: lambda: dict(velocity=half, clock=sde.clock(S), x=x(1.0), times=ROAD),
    sde.divergence: lambda: dict(field=half, x=POINTS, t=t()),
    sde.log_likelihood: lambda: dict(score=half, schedule=S, x=POINTS, times=[0, 3, 10]),
    timesteps.uniform: lambda: dict(schedule=S, steps=4),
    timesteps.quadratic: lambda: dict(schedule=S, steps=4),
    timesteps.uniform_log_snr: lambda: dict(schedule=S, steps=4),
    timesteps.karras: lambda: dict(schedule=S, steps=4, rho=7.0, low=0.002, high=80.0),
    noise.one_each: lambda: dict(seed=0, first=0, n=3),
    noise.standard_normal: lambda: dict(like=x(), generator=generator()),
    pixels.to_float: lambda: dict(images=torch.zeros(3, 1, 4, 4, dtype=torch.uint8)),
    pixels.to_uint8: lambda: dict(x=x()),
    WORLD.sample: lambda: dict(n=3, generator=generator()),
    WORLD.log_q: lambda: dict(schedule=S, x_t=POINTS, t=t()),
    WORLD.responsibilities: lambda: dict(schedule=S, x_t=POINTS, t=t()),
    WORLD.posterior_mean: lambda: dict(schedule=S, x_t=POINTS, t=t()),
    WORLD.posterior_variance: lambda: dict(schedule=S, x_t=POINTS, t=t()),
    WORLD.score: lambda: dict(schedule=S, x_t=POINTS, t=t()),
    sampler.ddpm_step: lambda: dict(schedule=S, x_t=x(), t=t(), x0_hat=x(0.5), z=x(1.0)),
    sampler.ddim_step: lambda: dict(schedule=S, x_t=x(), t=t(), t_prev=t(1, 4, 9), x0_hat=x(0.5), z=x(1.0), eta=0.5),
    sampler.dpm_solver_step: lambda: dict(schedule=S, x_t=x(), t=t(), t_prev=t(1, 4, 9), x0_hat=x(0.5)),
    sampler.ancestral: lambda: dict(denoise=half, schedule=S, x_T=x(1.0), times=ROAD, generator=generator()),
    sampler.ddim: lambda: dict(denoise=half, schedule=S, x_T=x(1.0), times=ROAD, eta=0.5, generator=generator()),
    sampler.dpm_solver: lambda: dict(denoise=half, schedule=S, x_T=x(1.0), times=ROAD),
    sampler.draw: lambda: dict(
        model=model(), n=3, at_once=2, labels=torch.tensor([0, 1, 2]), steps=2, guidance=1.0, seed=0
    ),
    sampler.balanced_labels: lambda: dict(n=4, num_classes=3),
    transforms.pad_to: lambda: dict(images=x(), height=6, width=6),
    transforms.shrink: lambda: dict(images=torch.zeros(3, 1, 4, 4, dtype=torch.uint8), factor=2),
    transforms.random_flip: lambda: dict(x=x(), generator=generator()),
}
CASES = {f"{f.__module__.rpartition('.')[2]}.{f.__name__}": (f, given) for f, given in CALLS.items()}

# What works though it is unusual, and why: (argument, mistake) -> the reason. An asterisk stands for every argument.
WORKS = {
    ("*", "nan"): "nan in, nan out: no function of the algebra reads every number",
    ("*", "empty"): "a batch of none is a batch",
    ("*", "one example for all"): "terms and variances may be of any number of examples",
    ("*", "one more example"): "the same",
    ("*", "another axis"): "pictures may have any number of axes",
    ("*", "huge"): "a seed, or a number of pictures that are made one by one",
    ("*", "below"): "a seed may be any whole number, and a curve may begin anywhere",
    ("*", "zero"): "none, or the first",
    ("*", "None"): "the default",
    ("images", "dtype"): "floats and bytes are padded alike",
    ("x", "dtype"): "and mirrored alike",
    ("t", "dtype"): "what a field of the caller's makes of times is its own affair",
    ("t", "beyond"): "the same",
    ("t", "truth"): "the same",
    ("t", "one more"): "a weight for each time, however many",
    ("t", "one time for all"): "the same",
    ("times", "one"): "no step to take",
    ("interval", "twice"): "an interval of one time",
}
