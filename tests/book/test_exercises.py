"""The exercises: a stub gets its hint, a right answer is right, a wrong one is told what to mend; never a traceback."""

import math
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from ddpm_core import schedule
from ddpm_core.book import elbo_derivation, exercises
from ddpm_core.book.exercises.chapter2 import _search
from ddpm_core.book.exercises.exercise import function
from ddpm_core.diffusion import elbo, flow, mixture

EXERCISES = {
    number: exercise for chapter in exercises.CHAPTERS for number, exercise in exercises.of_chapter(chapter).items()
}
TEXTS = sorted((Path(__file__).parents[2] / "book" / "src").glob("*.md"))
STUB = re.compile(r"```\{code-cell\} ipython3\n((?:(?!```).)*?exercises\.check\(\"([\d.]+)\", (\w+)\).*?)```", re.S)
SOLUTION = re.compile(r"<summary>Solution ([\d.]+)</summary>\s*```python\n(.*?)```", re.S)
STUBS = {number: (code, name) for text in TEXTS for code, number, name in STUB.findall(text.read_text())}
SOLUTIONS = {number: code for text in TEXTS for number, code in SOLUTION.findall(text.read_text())}


def run(code, name):
    room = {"torch": torch, "exercises": exercises}
    exec(code, room)
    return room[name]


def table(name):
    """RIGHT or WRONG of all chapters, from the folder beside this file."""
    chapters = (getattr(import_module(f"answers.chapter{chapter}"), name) for chapter in exercises.CHAPTERS)
    return [(number, answer) for chapter in chapters for number, answers in chapter.items() for answer in answers]


def changed(answer, change):
    """A value, each number of a pair or a list, or whatever a function returns, after the change."""
    if callable(answer):
        return lambda *given: changed(answer(*given), change)
    return [changed(part, change) for part in answer] if isinstance(answer, list | tuple) else change(answer)


THINGS = {
    "nothing": None,
    "words": "many",
    "a list": [1.0, 2.0],
    "a list of words": ["a", "b", "c"],
    "a tensor": torch.zeros(2, 3, 5),
    "a complex number": 1j,
    "nan": math.nan,
    "infinity": math.inf,
}
STRANGE = {
    **THINGS,
    **{f"a function that returns {name}": lambda *given, thing=thing: thing for name, thing in THINGS.items()},
    "a function that raises": lambda *given: given["like this"],
    "a function of nothing": lambda: 1.0,
}
WORDS = {  # where a function is asked for; else any sentence will do
    "words": "should be a function, but it is str",
    "a function that returns nothing": "your function returns nothing; end it with `return`.",
    "a function that raises": "your code raised TypeError: tuple indices",
    "a function of nothing": "takes 0 positional arguments",
}
RIGHT = [pytest.param(number, answer, id=number) for number, answer in table("RIGHT")]
WRONG = [
    *(pytest.param(number, answer, words, id=f"{number}: {words}") for number, (answer, words) in table("WRONG")),
    *(
        pytest.param(number, answer, WORDS.get(name, "") if exercise.read is function else "", id=f"{number}: {name}")
        for number, exercise in EXERCISES.items()
        for name, answer in STRANGE.items()
    ),
]


def test_every_exercise_has_a_stub_and_a_solution_in_a_chapter_and_wrong_answers_here():
    assert set(STUBS) == set(SOLUTIONS) == set(EXERCISES) == {number for number, _ in table("WRONG")}


@pytest.mark.parametrize("number", EXERCISES)
def test_the_stub_is_answered_with_the_hint(number):
    verdict = exercises.check(number, run(*STUBS[number]))
    assert not verdict.solved and EXERCISES[number].hint in verdict.message


@pytest.mark.parametrize("number", EXERCISES)
def test_the_solution_passes_in_double_and_single_precision_but_not_made_nan(number):
    solution = run(SOLUTIONS[number], STUBS[number][1])
    single = changed(solution, lambda x: x.float() if torch.is_tensor(x) and x.is_floating_point() else x)
    assert exercises.check(number, solution).solved and exercises.check(number, single).solved
    verdict = exercises.check(number, changed(solution, lambda x: x * math.nan))
    assert not verdict.solved and "cannot be judged" not in verdict.message


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_another_way_to_the_right_answer_is_right(number, answer):
    verdict = exercises.check(number, answer)
    assert verdict.solved, verdict


@pytest.mark.parametrize(("number", "answer", "words"), WRONG)
def test_a_wrong_answer_is_told_what_to_mend(number, answer, words):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert words in verdict.message and "cannot be judged" not in verdict.message


@pytest.mark.parametrize(("number", "words"), [("1.9", "one of 1.1, 1.2, 1.3"), ("99.1", "one of 0, 1, 2"), ("", "''")])
def test_an_unknown_number_is_told_which_there_are(number, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        exercises.check(number, 1.0)


def test_only_the_module_of_the_chapter_is_imported():
    code = "import sys; from ddpm_core.book import exercises; print(exercises.check('0.2', 21)); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "solved" in out and set(re.findall(r"exercises\.(chapter\d+)", out)) == {"chapter0"}


def test_a_verdict_is_shown_folded():
    assert max(map(len, repr(exercises.check("4.1", ...)).splitlines())) <= 80


def test_the_search_finds_the_smallest_number_of_steps():
    def price(T):
        return -torch.log1p(-schedule.linear(T).alpha_bar[-1]) / (2 * math.log(2))

    found = _search(1e-3, 1e-4, 0.02)
    assert price(found) <= 1e-3 < price(found - 1)


def test_exercise_4_4_tells_the_truth():
    """For normal data the bracket of 4.6 is the same on every way, and the divergences of 4.11 are not."""
    w = elbo_derivation.world(mixture.isotropic([1.0], [[0.0]], 1.0), schedule.from_betas([0.4, 0.4, 0.4]), 0.7)
    bracket = -w.log_p_end - sum(w.log_p[t] - w.log_q[t] for t in (1, 2, 3))
    likely = (w.log_q[1] + w.log_q[2] + w.log_q[3]) > -20
    assert (bracket[likely] - elbo_derivation.negative_log_likelihood(w)).abs().max() < 1e-9
    x_t, t = w.grid[:, None], torch.full((len(w.grid),), 2)
    divergence = elbo.L_t(w.schedule, torch.full_like(x_t, 0.7), x_t, t, w.data.posterior_mean(w.schedule, x_t, t))
    assert divergence.std() > 0.1


def test_exercise_16_3_tells_where_the_cosine_schedule_is_as_noisy():
    as_noisy = run(SOLUTIONS["16.3"], STUBS["16.3"][1])
    there = schedule.cosine(1000).alpha_bar[[round(1000 * as_noisy(t, 16)) for t in range(1, 16)]]
    assert (there - flow.alpha_bar(flow.linear_path(16))[1:16]).abs().max() < 0.02
    apart = [abs(as_noisy(t, 1000) - t / 1000) for t in range(1001)]
    assert 0.04 < max(apart) < 0.05  # "nowhere more than 5 percent of the way"
