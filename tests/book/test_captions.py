"""The line for a caption: Enter draws, and what cannot be drawn is said in a sentence."""

import torch

from ddpm_core.book import widgets
from ddpm_core.networks import conditioning


def test_typing_draws_and_a_word_that_nobody_knows_is_named():
    asked = []

    def draw(caption):
        asked.append(conditioning.encode([caption], ["red", "ring"]))
        return torch.full((2, 3, 8, 8), len(asked) * 20, dtype=torch.uint8)

    line, said, picture = widgets.live_caption(draw, "red ring").children
    assert said.value == "“red ring”" and bytes(picture.value).startswith(b"\x89PNG")
    before = bytes(picture.value)
    line.value = "red cat, green dog"
    assert said.value == "need words that the network has learned (red, ring), but got 'cat', 'green', 'dog'."
    assert bytes(picture.value) == before
    line.value = ""
    assert said.value == "no caption: whatever comes" and bytes(picture.value) != before and len(asked) == 2
