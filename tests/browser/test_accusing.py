"""The detective's desk on a bare page: the evidence of a case, an accusation by hand and by key, and the next case."""

import bare
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets
from ddpm_core.book.widgets.detective import Case, Evidence
from ddpm_core.diffusion.noise import seeded

SOUND = [1.0, 0.5, 0.25, 0.125]


def pictures(number, run):
    return torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=seeded(number, run))


def case(number):
    runs = [Evidence([1.0, 0.6, 0.3, 0.1 + 0.2 * k], pictures(number, k), {"bound": f"{k}.5 bits"}) for k in range(3)]
    return Case(f"Which run of case {number}?", runs, (number + 1) % 3, [f"reason {number}{k}" for k in range(3)])


@pytest.fixture(scope="module")
def desk():
    return widgets.accuse([case(0), case(1)], sound=SOUND, label="Who did it?")


def shown(page, run):
    """The six pictures on one run's canvas, three in a row."""
    sheet = bare.pixels(page.locator("canvas").nth(run))[..., 0]
    return sheet.reshape(2, 8, 3, 8).transpose(0, 2, 1, 3).reshape(6, 8, 8)


def test_a_case_is_laid_out(bare_page, desk):
    page = bare_page(desk._repr_html_())
    assert page.locator(".charge").inner_text() == "Which run of case 0?"
    for run in range(3):
        assert (shown(page, run) == pictures(0, run)[:, 0].numpy()).all()
    assert page.locator("dd").all_inner_texts() == ["0.5 bits", "1.5 bits", "2.5 bits"]
    ends = [path.get_attribute("d").rsplit(" ", 1)[1] for path in page.locator("path.loss").all()]
    assert ends[0] == "49.0" and np.all(np.diff(list(map(float, ends))) < 0)  # the largest loss stands highest
    assert page.locator(".count").inner_text() == "case 1 of 2" and page.locator("output").inner_text() == ""


def test_a_wrong_accusation_and_a_right_one_are_answered(bare_page, desk):
    page = bare_page(desk._repr_html_())
    buttons = page.locator(".run button")
    buttons.nth(0).click()
    assert page.locator("output").inner_text() == "Wrong. reason 00"
    assert buttons.nth(0).get_attribute("aria-pressed") == "true" and page.locator(".guilty").count() == 0
    assert "✗" in page.locator(".name").nth(0).inner_text()
    buttons.nth(1).click()
    assert page.locator("output").inner_text() == "Right. reason 01"
    assert page.locator(".guilty .name").inner_text() == "Run B ✓" and page.locator(".accused").count() == 1


def test_by_key_and_by_touch_and_on_to_the_next_case(bare_page, desk):
    page = bare_page(desk._repr_html_(), has_touch=True)
    page.locator(".run button").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator("output").inner_text() == "Wrong. reason 02"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator(".charge").inner_text() == "Which run of case 1?"
    assert page.locator("output").inner_text() == "" and page.locator(".accused").count() == 0
    assert (shown(page, 1) == pictures(1, 1)[:, 0].numpy()).all()
    page.locator(".run button").nth(2).tap()
    assert page.locator("output").inner_text() == "Right. reason 12"
    page.locator(".next").tap()
    assert page.locator(".count").inner_text() == "case 1 of 2"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1000, 390])
def test_it_fits_and_can_be_used_by_everybody(bare_page, desk, width, dark):
    page = bare_page(desk._repr_html_(), width=width, dark=dark)
    page.locator(".run button").nth(1).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(button.bounding_box()["height"] >= 44 for button in page.locator("button").all())
    assert not Axe().run(page).response["violations"]


def test_every_case_of_chapter_15_has_one_right_answer_and_a_reason_for_each(open_page):
    page = open_page("/book/15-clinic.html")
    desk = page.locator(".ddpm-desk")
    first = desk.locator(".count").inner_text()
    assert first.startswith("case 1 of ")
    for _ in range(int(first.split()[-1])):
        answers = []
        for button in desk.locator(".run button").all():
            button.click()
            answers.append(desk.locator("output").inner_text())
        assert sorted(answer.split()[0] for answer in answers) == ["Right.", "Wrong.", "Wrong."]
        assert len(set(answers)) == 3 and min(map(len, answers)) > 40
        desk.locator(".next").click()
    assert desk.locator(".count").inner_text() == first and not page.log.complaints()
