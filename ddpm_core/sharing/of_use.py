"""What a model's card says to whoever would use it: limits, bias, licence. What nobody has looked into, it says."""

from typing import NamedTuple

from ddpm_core.diffusion.model import Model


class Origin(NamedTuple):
    """Where training images come from: what that leaves out, and under which licence they are."""

    bias: str
    licence: str


# The data sets of the recipes, from what their makers say of them.
ORIGINS = {
    "digits": Origin(
        "The digits are those of scikit-learn, written by 13 people for a test set in the 1990s: other hands, and "
        "other ways to write a 1 or a 7, do not occur.",
        "the digits are from the UCI repository, under CC BY 4.0 (doi:10.24432/C50P49)",
    ),
    "zalando-datasets/fashion_mnist": Origin(
        "The garments are from the catalogue of one retailer, in grey, equally many of ten kinds: "
        "what it did not sell does not occur, nor does how often anything is worn.",
        "Fashion-MNIST is under the MIT licence",
    ),
    "uoft-cs/cifar10": Origin(
        "The photographs are from CIFAR-10, found on the web by search words and chosen by students. It is a part of "
        "the Tiny Images, which were withdrawn in 2020 for offensive words and pictures; these ten classes hold things "
        "and animals. Whose cars and which places were photographed nobody has counted.",
        "CIFAR-10 states no licence, and its photographs belong to whoever took them",
    ),
    "shapes": Origin(
        "The shapes are drawn by formula, every combination equally often but for those held back for the test: there "
        "is nobody in them, and nothing of the world.",
        "the shapes come with the code, under the MIT licence",
    ),
}


def sections(model: Model, data: str | None) -> list[str]:
    """Limits, bias and licence of a model that was trained on this data, as parts of Markdown."""
    height, width = model.about["size"]
    origin = ORIGINS.get(data)
    told = model.network.num_classes or model.network.vocabulary
    learned = "the classes or words" if told else "the kind of picture"
    return [
        "## Limits",
        f"A toy for learning how such models work. It draws {height}x{width} pixels, no more, and knows {learned} of "
        "its training alone. It is not made to be relied on, nor to stand for photographs of anything. Whether it "
        "copies training images was not measured here.",
        "## Bias",
        origin.bias if origin else "What its training images leave out, nobody has looked into.",
        "## Licence",
        "The weights are under the MIT licence. The training images have their own: "
        + (f"{origin.licence}." if origin else "see where they are from."),
    ]
