"""The detective's desk, from Python: what an accusation is answered, and what the page gets."""

import base64
import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
import torch

from ddpm_core.book import widgets
from ddpm_core.book.widgets.detective import Case, Evidence
from ddpm_core.diffusion.noise import seeded

SOUND = [1.0, 0.5, 0.25, 0.125]


def pictures(seed, channels=1):
    return torch.randint(0, 256, (6, channels, 4, 5), dtype=torch.uint8, generator=seeded(seed))


def case(number=0):
    runs = [Evidence([1 + k, 0.5, 0.2, 0.1], pictures(10 * number + k), {"bound <bits>": f"{k}.5"}) for k in range(3)]
    return Case(f"which, in case {number}?", runs, number % 3, [f"reason {number}{k}" for k in range(3)])


def desk(*cases):
    return widgets.accuse(cases or (case(0), case(1)), sound=SOUND, label='who & <b> "did" it')


def payload(shown):
    return json.loads(unescape(re.search(r'data-payload="([^"]*)"', shown._repr_html_())[1]))


def test_an_accusation_is_answered():
    shown = desk()
    assert shown.frame(0, 0) == (True, "reason 00") and shown.frame(0, 2) == (False, "reason 02")
    assert [shown.frame(1, run)[0] for run in range(3)] == [False, True, False]


def test_the_page_gets_the_evidence_of_every_run():
    sent = payload(desk())
    kinds = {"pictures": np.uint8, "losses": np.float32, "sound": np.float32}
    got = {name: np.frombuffer(base64.b64decode(sent["arrays"][name]["data"]), kind) for name, kind in kinds.items()}
    assert (got["pictures"].reshape(2, 3, -1)[1, 2] == pictures(12).reshape(-1).numpy()).all()
    assert got["losses"].reshape(2, 3, 4)[0, 2].tolist() == pytest.approx([3, 0.5, 0.2, 0.1])
    assert got["sound"].tolist() == SOUND and sent["cases"][1]["guilty"] == 1
    assert sent["cases"][0]["facts"][2] == [["bound <bits>", "2.5"]]


def test_it_is_small_stable_and_self_contained():
    shown = desk()
    assert repr(shown) == "InteractiveFigure('who & <b> \"did\" it')"
    assert shown._repr_html_() == shown._repr_html_()
    assert len(re.sub(r'data-payload="[^"]*"', "", shown._repr_html_()).encode()) <= 9216
    assert not re.search(r"https?:|src=|href=|@import|url\(|import\(", shown._repr_html_())


GOOD = case()
RUN = GOOD.runs[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((), "at least one case"),
        ((replace(GOOD, runs=GOOD.runs[:2]),), "case 1 has 2, 3 and 0"),
        ((GOOD, replace(GOOD, reasons=["why"])), "case 2 has 3, 1 and 0"),
        ((replace(GOOD, guilty=3),), "one of 0, 1, 2"),
        ((replace(GOOD, runs=[replace(RUN, losses=[1.0])] * 3),), "need 4 losses"),
        ((replace(GOOD, runs=[*GOOD.runs[:2], replace(RUN, pictures=pictures(0)[:2])]),), r"\(2, 1, 4, 5\)"),
        ((replace(GOOD, runs=[replace(RUN, pictures=pictures(0, 2))] * 3),), "C = 1 or 3"),
        ((replace(GOOD, runs=[*GOOD.runs[:2], replace(RUN, facts={})]),), "same facts"),
        ((replace(GOOD, runs=[replace(RUN, losses=[1.0, 0, 1, 1])] * 3),), "losses above 0"),
        ((replace(GOOD, runs=[replace(RUN, pictures=9 * torch.ones(6, 1, 4, 5))] * 3),), r"within \[-8, 8\]"),
    ],
)
def test_a_case_that_cannot_be_laid_out_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        widgets.accuse(wrong, sound=SOUND, label="x")
