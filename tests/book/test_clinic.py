"""The clinic: each bug is one line of the patient, each is caught by a check, and the sound patient passes them all."""

from difflib import ndiff

import pytest
import torch

from ddpm_core.book import clinic
from ddpm_core.book.clinic import patient
from ddpm_core.diffusion import gaussian, loss, pixels, prediction
from ddpm_core.diffusion.noise import seeded
from ddpm_core.sampler import ddpm_step
from ddpm_core.unet import SinusoidalEmbedding

# Which checks find which bug: what chapter 15 shows, and nothing else does.
FOUND = {
    "data in [0, 1]": {"grey values come back"},
    "alpha for alpha_bar": {"a jump is many steps", "an oracle has no loss"},
    "fresh noise in the target": {"an oracle has no loss"},
    "softmax over the wrong axis": {"equal values stay equal"},
    "dead clock": {"two times, two answers"},
    "average never copied": {"the average moves"},
    "clock off by one": {"an oracle guesses the picture", "one picture comes back"},
    "no clamp": {"a wild guess is held"},
    "posterior off by one": {"a step is Bayes' rule", "one picture comes back", "moments come back"},
    "variance for standard deviation": {"a step is sqrt(beta) wide", "moments come back"},
    "noise in the last step": {"one picture comes back"},
    "dropout while drawing": {"one seed, one picture"},
}


def noise(seed, *shape):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


# ---- The bugs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bug", clinic.BUGS, ids=clinic.NAMES)
def test_a_bug_is_exactly_one_line(bug):
    there, here = clinic.source().splitlines(), clinic.source(bug).splitlines()
    assert len(there) == len(here) and sum(a != b for a, b in zip(there, here, strict=True)) == 1
    assert sorted(line[0] for line in ndiff(there, here) if line[0] in "+-") == ["+", "-"]
    assert clinic.diff(bug) == f"- {bug.sound}\n+ {bug.sick}"


@pytest.mark.parametrize("bug", clinic.BUGS, ids=clinic.NAMES)
def test_the_line_stands_where_the_bug_says(bug):
    """In the named function or class, and nowhere else."""
    parts = clinic.source().split("\n\n\n")
    assert [
        bug.sound in part for part in parts if f"def {bug.function}(" in part or f"class {bug.function}(" in part
    ] == [True]


def test_copies_do_not_touch_the_patient_nor_each_other():
    sick, sound = clinic.planted(clinic.by_name("data in [0, 1]")), clinic.planted()
    grey = torch.tensor([0, 255], dtype=torch.uint8)
    assert sick.scaled(grey).tolist() == [0, 1] and sound.scaled(grey).tolist() == patient.scaled(grey).tolist() == [
        -1,
        1,
    ]


def test_two_bugs_can_be_planted_at_once():
    two = clinic.planted(clinic.BUGS[0], clinic.BUGS[7])
    assert {name for name, passed in clinic.examine(two).items() if not passed} == {
        "grey values come back", "a wild guess is held"
    }  # fmt: skip


def test_an_unknown_bug_and_a_line_that_is_not_there_are_refused():
    with pytest.raises(ValueError, match=r"one of data in \[0, 1\], .*, but got 'a ghost'"):
        clinic.by_name("a ghost")
    with pytest.raises(ValueError, match="need the line 'x = 1' once in the patient, but it is there 0 times"):
        clinic.source(clinic.Bug("a ghost", "draw", "x = 1", "x = 2", ""))


# ---- The checks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", clinic.CHECKS, ids=repr)
def test_the_sound_patient_passes(check):
    assert check.passes(clinic.planted())


@pytest.mark.parametrize("bug", clinic.BUGS, ids=clinic.NAMES)
def test_a_bug_is_caught_by_its_checks_and_by_no_other(bug):
    assert {name for name, passed in clinic.examine(clinic.planted(bug)).items() if not passed} == FOUND[bug.name]


def test_every_check_finds_something_with_room_to_spare():
    """None is there for show, and none is a near thing: a gap is small, or ten times too large."""
    copies = [clinic.planted(), *map(clinic.planted, clinic.BUGS)]
    for check in clinic.CHECKS:
        gaps = [check.gap(code) for code in copies]
        assert any(gap > check.at_most for gap in gaps)
        assert all(gap <= 0.6 * check.at_most or not gap <= 10 * check.at_most for gap in gaps), (check, gaps)


def test_nan_passes_nothing():
    assert not clinic.Check("never", lambda code: float("nan"), 1.0).passes(clinic.planted())


# ---- The patient says what the package says -----------------------------------------------------------------------


def test_the_patient_noises_guesses_and_steps_as_the_package_does():
    x0, eps, z, t = (
        noise(1, 6, 1, 4, 4).clamp(-1, 1),
        noise(2, 6, 1, 4, 4),
        noise(3, 6, 1, 4, 4),
        torch.arange(1, 100, 18),
    )
    x_t = gaussian.q_sample(patient.TABLES, x0, t, eps)
    assert torch.equal(patient.noised(x0, t, eps), x_t)
    wrong = 3 * noise(4, 6, 1, 4, 4)
    held = prediction.clip_denoised(prediction.denoiser(lambda x, t: wrong, patient.TABLES))
    assert torch.allclose(patient.guess(lambda x, t: wrong, x_t, t), held(x_t, t))
    mean = ddpm_step(patient.TABLES, x_t, t, x0, torch.zeros_like(z))
    assert torch.allclose(patient.step_back(x_t, t, x0, torch.zeros_like(z)), mean)
    net = lambda x, t: 0.5 * x  # noqa: E731
    assert torch.allclose(patient.squared_error(net, x0, t, eps), loss.training_loss(net, patient.TABLES, x0, t, eps))


def test_the_patient_scales_attends_and_tells_the_time_as_the_package_does():
    grey = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(patient.scaled(grey), pixels.to_float(grey))
    x = noise(5, 1000)
    assert torch.equal(patient.shown(x), pixels.to_uint8(x))
    q, k, v = noise(6, 3, 2, 7, 5)
    assert torch.allclose(patient.take(q, k, v), torch.nn.functional.scaled_dot_product_attention(q, k, v))
    seen, clock, t = [], patient.Clock(), torch.tensor([1, 40, 100])
    clock.layers = torch.nn.Identity()
    seen = clock(t)
    assert torch.allclose(seen, SinusoidalEmbedding(32)(t))


def test_the_patient_learns_and_draws():
    """A few steps on one picture: the loss falls, and what is drawn has the shape of the noise."""
    digit = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8, generator=seeded(7))
    average, losses = patient.train(digit, steps=30, seed=0, batch=16)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5]) and not average.training
    drawn = patient.draw(average, torch.randn(2, 1, 8, 8, generator=seeded(8)))
    assert drawn.shape == (2, 1, 8, 8) and drawn.abs().max() <= 1.001  # float32: the last step divides by beta_1


# ---- The equations of the chapter ---------------------------------------------------------------------------------


def test_shares_that_do_not_add_up_to_one_change_equal_values():
    """Equation 15.1, both ways: over the keys equal values stay, over the queries they become the sum of a row."""
    q, k = noise(9, 2, 1, 6, 4)
    ones = torch.ones(1, 6, 4, dtype=torch.float64)
    assert torch.allclose(patient.take(q, k, ones), ones)
    sick = clinic.planted(clinic.by_name("softmax over the wrong axis"))
    rows = (q @ k.transpose(1, 2) / 2).softmax(1).sum(2, keepdim=True)
    assert torch.allclose(sick.take(q, k, ones), rows.expand(-1, -1, 4)) and (rows - 1).abs().max() > 0.1


def test_a_norm_of_its_own_group_forgets_what_was_added_to_a_channel():
    """Equation 15.3."""
    h, added = noise(10, 2, 8, 3, 3), noise(11, 2, 8, 1, 1)
    one_each, shared = torch.nn.GroupNorm(8, 8).double(), torch.nn.GroupNorm(2, 8).double()
    assert torch.allclose(one_each(h + added), one_each(h))
    assert (shared(h + added) - shared(h)).abs().max() > 0.1


def test_an_oracle_has_no_loss_and_silence_costs_one():
    """Equation 15.2, and what a network that answers 0 pays."""
    x0, eps, t = noise(12, 100, 1, 4, 4).clamp(-1, 1), noise(13, 100, 1, 4, 4), torch.arange(1, 101)
    assert patient.squared_error(clinic.Oracle(patient.TABLES, x0), x0, t, eps).item() < 1e-20
    silence = patient.squared_error(lambda x, t: torch.zeros_like(x), x0, t, eps).item()
    assert silence == pytest.approx(eps.square().mean().item())


def test_what_silence_costs_when_asked_for_v():
    """Equation 15.4, against the training loss of a network that answers 0: an expectation, so only roughly."""
    x0, eps, t = 0.5 * noise(14, 10_000, 3), noise(15, 10_000, 3), torch.arange(10_000) % 100 + 1
    paid = loss.training_loss(lambda x, t: torch.zeros_like(x), patient.TABLES, x0, t, eps, prediction.V)
    kept = patient.TABLES.alpha_bar[1:]
    assert paid.item() == pytest.approx((kept + (1 - kept) * 0.25).mean().item(), rel=0.02)


# ---- The strangers of exercise 15.1 -------------------------------------------------------------------------------


def test_one_stranger_passes_every_check_and_the_others_fail_the_one_that_leads_to_them():
    failed = {k: {name for name, passed in clinic.examine(clinic.stranger(k)).items() if not passed} for k in "ABC"}
    assert failed["A"] == {"the average moves"} and failed["C"] == set()
    assert "a step is Bayes' rule" in failed["B"] and "one picture comes back" not in failed["B"]
    with pytest.raises(ValueError, match="one of the strangers A, B, C, but got 'D'"):
        clinic.stranger("D")


def test_the_functions_are_counted_in_the_order_of_the_file():
    assert clinic.FUNCTIONS[0] == "scaled" and clinic.FUNCTIONS[-1] == "draw" and len(clinic.FUNCTIONS) == 14
    assert {bug.function for bug in clinic.BUGS} <= set(clinic.FUNCTIONS)
