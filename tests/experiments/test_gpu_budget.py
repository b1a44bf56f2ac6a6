"""The budget of a GPU: jobs in their order, each once, none that no longer fits."""

import json

import pytest

from experiments import gpu_budget
from experiments.gpu_budget import REST, Job


@pytest.fixture
def spend(tmp_path):
    """spend(minutes, jobs) does them; what the results file says of them."""

    def run(minutes, *jobs, **how):
        settings = gpu_budget.Settings(results=tmp_path, runs=tmp_path / "runs", device="cpu", **how)
        gpu_budget.main(["--minutes", str(minutes)], settings, jobs)
        file = tmp_path / "gpu_budget.json"
        return json.loads(file.read_text())["results"]["jobs"] if file.is_file() else {}

    return run


def named(name, minutes, seen, **how):
    def work(given, settings):
        seen.append((name, given))
        return {"device": "a card", "minutes": given}

    return Job(name, minutes, work, **how)


def test_each_job_gets_what_it_wants_and_the_last_one_the_rest(spend):
    seen = []
    found = spend(10, named("cars", 5.0, seen, least=5.0), named("all else", REST, seen))
    assert [name for name, _ in seen] == ["cars", "all else"] == list(found)
    assert seen[0][1] == 5 and 8 < seen[1][1] <= 9  # a minute is kept for judging; nothing was spent here


def test_a_job_that_does_not_fit_is_left_and_a_smaller_one_is_not(spend, capsys):
    seen = []
    assert list(spend(3, named("cars", 5.0, seen, least=5.0), named("step", 2.0, seen))) == ["step"]
    assert "cars: left for another time, it wants 5 minutes and 3.0 are left" in capsys.readouterr().out


def test_called_again_it_goes_on_where_it_was_stopped(spend):
    seen = []

    def stopped(minutes, settings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spend(9, named("cars", 5.0, seen), Job("shapes", 2.0, stopped))
    assert list(spend(9, named("cars", 5.0, seen), named("shapes", 2.0, seen))) == ["cars", "shapes"]
    assert [name for name, _ in seen] == ["cars", "shapes"]


def test_a_training_is_judged_from_its_checkpoint(spend):
    """With the smallest of the recipes in the place of those for a GPU."""
    job = Job("digits", 1.0, gpu_budget.by_recipe("digits"))
    found = spend(1, job, cifar10="digits", steps=2, samples=20)["digits"]
    assert found["trained_steps"] == 2 and found["images_seen"] == 16
    assert 0 <= found["evaluated"]["rows"]["recognised"]["drawn"] <= 1


def test_the_jobs_are_recipes_for_a_gpu_in_the_order_in_which_they_are_wanted():
    assert [job.name for job in gpu_budget.JOBS] == [
        "cars, alone on the card", "a step beside diffusers", "text to image, shapes", "CIFAR-10 by class",
    ]  # fmt: skip
    assert gpu_budget.JOBS[-1].minutes == REST and all(job.least <= job.minutes for job in gpu_budget.JOBS)
