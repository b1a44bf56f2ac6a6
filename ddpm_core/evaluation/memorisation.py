"""Memorisation: are the drawn pictures new, or are they the training pictures again?"""

from torch import Tensor

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.evaluation.neighbours import check_sets, nearest


@checked
def distance_ratio(drawn: Tensor, known: Tensor, held_out: Tensor) -> float:
    """Median distance of drawn pictures to their nearest training picture, over that of real pictures held out.

    All (.., C, H, W), uint8 or float. Near 1: drawn pictures lie from the known ones as far as new real ones do.
    Near 0: they are the known ones.   [chapter 12, Eq. 12.8]
    """
    check_sets(drawn=drawn, known=known)
    check_sets(held_out=held_out, known=known)
    ours, theirs = (nearest(x, known)[0].median() for x in (drawn, held_out))
    return (ours / theirs).item()


@checked
def copies(drawn: Tensor, known: Tensor, *, share: float = 0.5, neighbours: int = 20) -> Tensor:
    """Which drawn pictures (N,) are copies: nearer to one training picture than `share` of their mean distance to the
    `neighbours` nearest.

    A picture is compared with its own surroundings, since in an empty region everything is far, and near a common kind
    of picture many are near. [Carlini 2023, Section 5.1, there with 50 neighbours; chapter 12, Eq. 12.9]
    """
    in_range("share", share, 0)
    check_sets(neighbours, drawn=drawn, known=known)
    distance, _ = nearest(drawn, known, neighbours)
    return distance[:, 0] < share * distance.mean(1)
