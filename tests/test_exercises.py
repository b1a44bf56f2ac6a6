"""Each exercise both ways: the stub of the chapter fails its check with the hint, the chapter's own solution passes."""

import re
from pathlib import Path

import pytest
import torch

from ddpm_core import exercises

TEXTS = sorted((Path(__file__).parents[1] / "book" / "src").glob("*.md"))
STUB = re.compile(r"```\{code-cell\} ipython3\n((?:(?!```).)*?exercises\.check\(\"([\d.]+)\", (\w+)\).*?)```", re.S)
SOLUTION = re.compile(r"<summary>Solution ([\d.]+)</summary>\s*```python\n(.*?)```", re.S)


def stubs():
    return {number: (code, name) for text in TEXTS for code, number, name in STUB.findall(text.read_text())}


def solutions():
    return {number: code for text in TEXTS for number, code in SOLUTION.findall(text.read_text())}


def run(code, name):
    room = {"torch": torch, "exercises": exercises}
    exec(code, room)
    return room[name]


def test_every_check_has_a_stub_and_a_solution_in_a_chapter():
    assert set(stubs()) == set(solutions()) == set(exercises.EXERCISES)


@pytest.mark.parametrize("number", exercises.EXERCISES)
def test_the_stub_is_answered_with_the_hint(number):
    verdict = exercises.check(number, run(*stubs()[number]))
    assert not verdict.solved
    assert exercises.EXERCISES[number].hint in verdict.message


@pytest.mark.parametrize("number", exercises.EXERCISES)
def test_the_solution_passes(number):
    verdict = exercises.check(number, run(solutions()[number], stubs()[number][1]))
    assert verdict.solved, verdict


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("0.1", torch.full((16,), 7.0), "whole numbers"),
        ("0.1", torch.full((10,), 7), "16 labels"),
        ("0.1", torch.arange(16) % 10, "should be 7"),
        ("0.2", 600 * 64, "divide"),
        ("0.2", 1797 / (600 * 64), "not their ratio"),
        ("1.1", lambda schedule: int((schedule.alpha_bar.sqrt() < 0.5).nonzero()[0]) - 1, "too early"),
        ("1.1", lambda schedule: int((schedule.alpha_bar < 0.5).nonzero()[0]), "square root"),
        ("1.1", lambda schedule: schedule.no_such_table, "AttributeError"),
        ("1.2", lambda s, x, a, b, z: s.alpha_bar[b] * x + (1 - s.alpha_bar[b]) * z, "Equation 1.10"),
        ("1.2", lambda s, x, a, b, z: s.alpha_bar[b].sqrt() * x + (1 - s.alpha_bar[b]).sqrt() * z, "Equation 1.1"),
        ("1.1", lambda schedule: schedule.alpha_bar.sqrt(), "should be a number, but it is Tensor"),
        ("1.3", lambda a: 1 - a, "straight line"),
        ("1.3", lambda a: -((1 - a**2) ** 0.5), "into its negative"),
        ("1.3", lambda a: 1 - a**2, "should be 1"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on_and_no_traceback(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message
