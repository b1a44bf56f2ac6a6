"""Numbers at their limits: precisions within a tolerance, schedules at their extremes, one picture from one seed."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ddpm_core import sampler, schedule
from ddpm_core.diffusion import gaussian
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.prediction import PREDICTIONS, V
from ddpm_core.training import devices
from ddpm_core.unet import UNet

ROOT = Path(__file__).resolve().parents[1]
S = schedule.cosine(100)
# How far a result may be from that in float64, as a share of the largest number in it: some roundings of its own.
TOLERANCE = {torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float32: 1e-6, torch.float64: 1e-14}
PRECISIONS = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: str(dtype).rpartition(".")[2])
LAYOUTS = pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last], ids=["plain", "channels_last"]
)


def close(found, wanted, dtype):
    assert found.dtype == dtype
    assert (found.double() - wanted).abs().max() <= TOLERANCE[dtype] * wanted.abs().max()


def pictures(normal, dtype, layout):
    """x_0, eps in this precision and layout, and the same numbers in float64."""
    made = [normal(5, 3, 8, 8).to(dtype) for _ in range(2)]
    return [x.to(memory_format=layout) for x in made], [x.double() for x in made]


@PRECISIONS
@LAYOUTS
def test_the_algebra_in_every_precision_and_layout(dtype, layout, normal):
    (x0, eps), (exact_x0, exact_eps) = pictures(normal, dtype, layout)
    t = torch.tensor([1, 20, 50, 80, 99])
    close(gaussian.q_sample(S, x0, t, eps), gaussian.q_sample(S, exact_x0, t, exact_eps), dtype)
    for predict in PREDICTIONS.values():
        target = predict.target(S, exact_x0, exact_eps, t, exact_eps)
        close(predict.target(S, x0, eps, t, eps), target, dtype)
    close(sampler.ddpm_step(S, eps, t, x0, eps), sampler.ddpm_step(S, exact_eps, t, exact_x0, exact_eps), dtype)
    assert gaussian.q_sample(S, x0, t, eps).is_contiguous(memory_format=layout)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@LAYOUTS
def test_the_network_in_every_precision_and_layout(dtype, layout):
    """A hundred times the tolerance of a formula: so many roundings stand one behind the other."""
    net = UNet(3, (8, 16)).double()
    torch.nn.init.normal_(net.head[-1].weight, std=0.1)
    x, t = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.tensor([3, 70])
    wanted = net(x, t)
    found = net.to(dtype).to(memory_format=layout)(x.to(dtype).to(memory_format=layout), t)
    assert (found.double() - wanted).abs().max() <= min(100 * TOLERANCE[dtype], 0.1) * wanted.abs().max()


@pytest.mark.filterwarnings("ignore")  # a compiler's own
def test_compiled_the_network_gives_the_same_answers():
    """Compiled, operations are merged and rounded in another order: a hundred times the tolerance of a formula."""
    if why_not := devices.why_not_compile("cpu"):
        pytest.skip(f"torch.compile does not work here: {why_not}")
    net = UNet(1, (8,)).eval()
    torch.nn.init.normal_(net.head[-1].weight, std=0.1)
    x, t = torch.randn(2, 1, 4, 4), torch.tensor([3, 70])
    with torch.no_grad():
        wanted = net(x, t)
        found = torch.compile(net)(x, t)
    assert wanted.abs().max() > 0.1
    assert (found - wanted).abs().max() <= 100 * TOLERANCE[torch.float32] * wanted.abs().max()


# ---- schedules at their extremes -------------------------------------------------------------------------------


EXTREMES = {
    "one step": schedule.cosine(1),
    "one linear step": schedule.linear(1, 0.5, 0.5),
    "one sigmoid step": schedule.sigmoid(1),
    "many steps": schedule.cosine(100_000),
    "many linear steps": schedule.linear(100_000, 1e-6, 2e-4),
    "large betas": schedule.from_betas([0.999] * 20),
    "hardly any noise": schedule.from_betas([1e-12] * 20),
    "nearly no signal at the end": schedule.from_betas([0.1, 0.5, 1 - 1e-12]),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_a_schedule_at_its_extremes_has_sound_tables_and_its_algebra_holds(name, normal):
    s = EXTREMES[name]
    tables = s.alpha_bar, s.beta_tilde, s.posterior_mean_coef_x0[1:], s.posterior_mean_coef_xt[1:], s.snr[1:]
    assert all(table.isfinite().all() and (table >= 0).all() for table in tables)
    assert (s.alpha_bar.diff() < 0).all() and (s.beta_tilde <= s.beta + 1e-15).all()
    t = torch.tensor([1, max(1, s.T // 2), s.T])
    x0, eps = normal(3, 2), normal(3, 2)
    x_t = gaussian.q_sample(s, x0, t, eps)
    mean, variance = gaussian.q_posterior(s, x0, x_t, t)
    assert mean.isfinite().all() and variance.isfinite().all()
    back = gaussian.x0_from_eps(s, x_t, t, eps)
    room = 1e-15 / s.alpha_bar[t].sqrt()  # what rounding x_t costs in units of x_0
    assert ((back - x0).abs() <= 1e-12 + 100 * room[:, None]).all()


@pytest.mark.parametrize("betas", [[0.1, 1.0], [0.0, 0.1], [0.1, float("nan")]])
def test_no_signal_at_all_is_refused(betas):
    """beta_T = 1 leaves alpha_bar_T = 0: x_T says nothing of x_0, and eps would be divided by nothing."""
    with pytest.raises(ValueError, match=r"need every beta strictly between 0 and 1, but beta_\d is"):
        schedule.from_betas(betas)


# ---- one seed, one picture -------------------------------------------------------------------------------------


def drawn():
    torch.manual_seed(0)
    net = UNet(1, (8, 16)).eval()
    torch.nn.init.normal_(net.head[-1].weight, std=0.1)
    images = sampler.draw(Model(net, S, V, {"size": [8, 8]}), 4, steps=3, sampler="ddim1", seed=5)
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()


def test_one_seed_is_one_picture_in_every_run_and_with_every_number_of_threads():
    here = drawn()
    torch.set_num_threads(2)
    try:
        assert drawn() == here
    finally:
        torch.set_num_threads(1)
    assert drawn() == here


def test_one_seed_is_one_picture_in_every_process():
    code = "import sys, torch; torch.set_num_threads(1); sys.path.insert(0, 'tests'); import test_numbers as it"
    command = [sys.executable, "-c", f"{code}; print(it.drawn())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split()[-1] == drawn()
