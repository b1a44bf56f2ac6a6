"""The exercises of chapter 8: what a reader is told who got something wrong."""

import pytest
import torch

from ddpm_core import exercises


def average(decay=lambda d, k: min(d, (1 + k) / (10 + k)), first=lambda x: x):
    """An answer to 8.1 with its decay or its beginning changed."""

    def answer(values, d):
        averages = [first(values[0])]
        for k in range(1, len(values)):
            now = decay(d, k)
            averages.append(now * averages[-1] + (1 - now) * values[k])
        return averages

    return answer


def parts(weigh=lambda part, batch, n: len(part) / len(batch), split=lambda batch, most: batch.split(most)):
    """An answer to 8.2 with the weight of a part or the parts changed."""

    def answer(gradient, batch, most):
        every = list(split(batch, most))
        return sum(weigh(part, batch, len(every)) * gradient(part) for part in every)

    return answer


def length(gradients):
    return torch.stack([g.norm() for g in gradients]).norm()


def cut(factor=lambda longest, length: min(1.0, longest / length)):
    """An answer to 8.3 with another factor."""
    return lambda gradients, longest: [g * factor(longest, float(length(gradients))) for g in gradients]


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [
        ("8.1", lambda values, decay: print(end=""), "returns nothing"),
        ("8.1", lambda values, decay: torch.zeros(2, 2), "one average for each value"),
        ("8.1", lambda values, decay: values[:1] * 2, "yours has 2"),
        ("8.1", average(first=lambda x: 0.0), "begins elsewhere"),
        ("8.1", average(first=lambda x: 0.9 * x), "begins elsewhere"),
        ("8.1", average(lambda d, k: d), "constant decay throughout"),
        ("8.1", average(lambda d, k: max(d, (1 + k) / (10 + k))), "the larger of the two"),
        ("8.1", average(lambda d, k: min(d, k / (9 + k))), "k counts the values before this one"),
        ("8.1", average(lambda d, k: min(d, (2 + k) / (11 + k))), "off by one the other way"),
        ("8.1", average(lambda d, k: 1 - min(d, (1 + k) / (10 + k))), "has it reversed"),
        ("8.1", average(lambda d, k: 0.77), "and should be"),
        ("8.1", lambda values, decay: values, "and should be"),
        ("8.2", lambda gradient, batch, most: print(end=""), "returns nothing"),
        ("8.2", lambda gradient, batch, most: batch.mean(0), "never asks for a gradient"),
        ("8.2", lambda gradient, batch, most: gradient(batch), "at most 4 rows at once"),
        ("8.2", parts(split=lambda batch, most: [*batch.split(most), batch[:0]]), "no rows at all"),
        ("8.2", parts(split=lambda batch, most: batch[: len(batch) // 2].split(most)), "every row once"),
        ("8.2", lambda gradient, batch, most: sum(gradient(p) for p in batch.split(most)).sum(), "has shape (2,)"),
        ("8.2", parts(weigh=lambda part, batch, n: 1 / n), "should count less"),
        ("8.2", parts(weigh=lambda part, batch, n: 1), "that is the sum of the parts'"),
        ("8.2", parts(weigh=lambda part, batch, n: len(part)), "sum over rows"),
        ("8.2", parts(weigh=lambda part, batch, n: 0.7 / n), "and should be"),
        ("8.3", lambda gradients, longest: print(end=""), "returns nothing"),
        ("8.3", lambda gradients, longest: gradients[:1], "of the same shape"),
        ("8.3", cut(lambda longest, length: longest / length), "yours makes it longer"),
        (
            "8.3",
            lambda gradients, longest: [g * min(1.0, longest / float(g.norm())) for g in gradients],
            "cut each tensor by itself",
        ),
        ("8.3", lambda gradients, longest: [g.clamp(-longest, longest) for g in gradients], "each number by itself"),
        ("8.3", cut(lambda longest, length: min(1.0, longest / length**2)), "not over its square"),
        ("8.3", cut(lambda longest, length: 1.0), "too long"),
        ("8.3", cut(lambda longest, length: 0.5), "comes out with length"),
    ],
)
def test_a_wrong_answer_gets_a_word_on_how_to_go_on(number, answer, word):
    verdict = exercises.check(number, answer)
    assert not verdict.solved
    assert word in verdict.message


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("8.1", lambda values, decay: torch.tensor(average()(values, decay), dtype=torch.float64)),
        ("8.2", parts(split=lambda batch, most: batch.split(1))),
        ("8.3", cut(lambda longest, length: min(1.0, longest / (length + 1e-6)))),  # as torch does it
        ("8.3", lambda gradients, longest: tuple(cut()(gradients, longest))),
    ],
)
def test_another_way_to_the_right_answer_is_right(number, answer):
    assert exercises.check(number, answer).solved


def test_a_sum_in_single_precision_is_right():
    def in_parts(gradient, batch, most):
        total = torch.zeros(batch.shape[1:])
        for part in batch.split(most):
            total += len(part) / len(batch) * gradient(part)
        return total

    assert exercises.check("8.2", in_parts).solved


def test_torchs_own_cut_in_place_is_right():
    def in_place(gradients, longest):
        weights = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for weight, g in zip(weights, gradients, strict=True):
            weight.grad = g
        torch.nn.utils.clip_grad_norm_(weights, longest)
        return [weight.grad for weight in weights]

    assert exercises.check("8.3", in_place).solved
