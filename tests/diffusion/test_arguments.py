"""What the functions of the mathematics say about a wrong argument."""

from typing import Literal

import pytest
import torch

from ddpm_core.diffusion.arguments import all_numbers, checked, in_range


def test_a_number_out_of_range_is_told_the_range():
    with pytest.raises(ValueError, match="need n of at least 1, but got 0"):
        in_range("n", 0, 1)
    with pytest.raises(ValueError, match="need n from 1 to 3, but got 5"):
        in_range("n", 5, 1, 3)
    in_range("n", 1, 1, 3)
    in_range("n", 3, 1, 3)


def test_an_annotation_that_is_no_type_lets_everything_pass():
    @checked
    def turned(way: Literal["left", "right"], by: int) -> tuple:
        return way, by

    assert turned("left", 3) == ("left", 3)
    with pytest.raises(ValueError, match="need by as a whole number, but got 'far'"):
        turned("left", "far")


def test_numbers_that_are_none_are_told_by_their_share():
    all_numbers(x=torch.tensor([0.0, -1.0]), t=torch.tensor([3, 4]))
    with pytest.raises(ValueError, match="need finite numbers in x, but 50% of it are none"):
        all_numbers(x=torch.tensor([0.0, torch.nan]))
