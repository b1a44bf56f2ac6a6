"""Nearest neighbours, and precision, recall and copies that are made of them: cases known without a computer."""

import pytest
import torch

from ddpm_core.evaluation import memorisation
from ddpm_core.evaluation.neighbours import covered, nearest, precision, recall, variance_within

LINE = torch.arange(10.0)[:, None]  # 0, 1, ..., 9


def test_neighbours_on_a_line_are_those_that_one_can_point_at():
    distance, rows = nearest(torch.tensor([[2.2], [-1.0]]), LINE, 3)
    assert rows.tolist() == [[2, 3, 1], [0, 1, 2]]
    assert distance[0].tolist() == pytest.approx([0.2, 0.8, 1.2], abs=1e-6)
    assert nearest(LINE, LINE, 2)[0][:, 1].tolist() == [1] * 10  # without itself


def test_pictures_are_compared_as_numbers_not_as_bytes_that_overflow():
    black, white = (torch.full((1, 1, 4, 4), value, dtype=torch.uint8) for value in (0, 255))
    assert nearest(black, white)[0].item() == pytest.approx(4 * 255) == nearest(white, black)[0].item()


def test_many_rows_are_compared_in_parts_and_come_out_the_same(normal):
    a, b = normal(2100, 3), normal(50, 3)
    assert torch.equal(nearest(a, b, 2)[1][1500:], nearest(a[1500:], b, 2)[1])
    assert torch.equal(covered(a, b)[1500:], covered(a[1500:], b))


def test_a_ball_reaches_to_its_kth_neighbour():
    """On a line of whole numbers the balls of k = 1 have radius 1, those of k = 2 at the ends radius 2."""
    beside = torch.tensor([[-0.9], [-1.5], [4.5], [10.4]])
    assert covered(beside, LINE, 1).tolist() == [True, False, True, False]
    assert covered(beside, LINE, 2).tolist() == [True, True, True, True]


def test_a_mode_left_out_costs_recall_and_a_mode_made_up_costs_precision(normal):
    left, right = normal(200, 2), normal(200, 2) + 40
    real = torch.cat([left, right])
    assert precision(left[:150], real) == 1 and recall(left[:150], real) < 0.51
    assert (
        precision(torch.cat([left, right + 400]), real) == 0.5 and recall(torch.cat([left, right + 400]), real) == 0.5
    )
    assert recall(real, left) == precision(left, real)  # the one is the other, turned round


def test_variance_inside_classes_does_not_see_where_the_classes_lie(normal):
    x, labels = normal(3000, 5), torch.arange(3000) % 3
    assert variance_within(x, labels) == pytest.approx(5, rel=0.05)
    assert variance_within(x + 100 * labels[:, None], labels) == pytest.approx(variance_within(x, labels))
    assert variance_within(3 * x, labels) == pytest.approx(9 * variance_within(x, labels))
    two = torch.tensor([[0.0], [2.0], [5.0]])
    assert variance_within(two, torch.tensor([0, 0, 1])) == 2  # unbiased: (1 + 1) / (3 - 2)


def test_copies_are_at_ratio_0_and_new_pictures_of_the_same_kind_at_1(normal):
    known, held, new = normal(500, 1, 4, 4), normal(800, 1, 4, 4), normal(800, 1, 4, 4)
    assert memorisation.distance_ratio(new, known, held) == pytest.approx(1, abs=0.05)
    assert memorisation.distance_ratio(known, known, held) == pytest.approx(0, abs=1e-5)
    assert memorisation.copies(known[:50] + 0.1 * new[:50], known).all()
    assert memorisation.copies(new, known).double().mean() < 0.02


def test_a_copy_is_measured_by_its_own_surroundings():
    """0.4 from a picture is a copy where the others are far, and none where they are as near."""
    crowded, lonely = torch.zeros(20, 2), torch.zeros(20, 2)
    crowded[:, 0], lonely[:, 0] = torch.linspace(0.4, 0.5, 20), torch.linspace(10, 20, 20)
    lonely[0, 0] = 0.4
    here = torch.zeros(1, 2)
    assert memorisation.copies(here, lonely).item() and not memorisation.copies(here, crowded).item()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (
            lambda: nearest(torch.zeros(2, 3), torch.zeros(2, 4)),
            r"one shape, but got a of shape \(2, 3\) and b of shape \(2, 4\)",
        ),
        (lambda: nearest(torch.zeros(0, 3), torch.zeros(2, 3)), "of one shape, but got"),
        (lambda: nearest(torch.zeros(2, 3), torch.zeros(4, 3), 5), "at least k = 5 rows .* but b has 4"),
        (lambda: precision(torch.zeros(2, 3), torch.zeros(3, 3)), "at least k = 4 rows .* but real has 3"),
        (lambda: variance_within(torch.zeros(3, 2), torch.zeros(2)), r"one label a row, but got shapes .* and \(2,\)"),
        (lambda: variance_within(torch.zeros(3, 2), torch.arange(3)), "more rows than classes"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()
