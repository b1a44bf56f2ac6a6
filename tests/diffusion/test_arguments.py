"""What the functions of the mathematics say about a wrong argument."""

import pytest

from ddpm_core.diffusion.arguments import in_range


def test_a_number_out_of_range_is_told_the_range():
    with pytest.raises(ValueError, match="need n of at least 1, but got 0"):
        in_range("n", 0, 1)
    with pytest.raises(ValueError, match="need n from 1 to 3, but got 5"):
        in_range("n", 5, 1, 3)
    in_range("n", 1, 1, 3)
    in_range("n", 3, 1, 3)
