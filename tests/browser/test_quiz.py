"""The quizzes in a browser: by keyboard alone, without a kernel, and without scripts."""

import re

import pytest
from serving import HTML

PAGE = "/book/workshop/quiz.html"


def test_an_answer_says_by_keyboard_whether_it_is_right(page):
    quiz = page(PAGE)
    first = quiz.locator(".quiz").first
    assert quiz.locator(".why:visible").count() == 0
    first.locator("input").first.focus()
    quiz.keyboard.press("Space")
    assert first.locator(".wrong .why:visible").count() == 1
    assert first.locator(".said").text_content().startswith("No. No such pairs exist")
    quiz.keyboard.press("ArrowDown")
    assert first.locator(".right .why:visible").count() == 1 == quiz.locator(".why:visible").count()
    assert first.locator(".said").text_content().startswith("Right. We pour the noise")
    assert not quiz.log.page_errors and not quiz.log.console_errors


@pytest.mark.parametrize("width", [1280, 390])
def test_reasons_show_without_scripts_and_nothing_is_cut_off(page, width):
    quiz = page(PAGE, width=width, java_script_enabled=False, wait=False)
    for label in quiz.locator(".quiz .right label").all():
        label.click()
    assert quiz.locator(".why:visible").count() == quiz.locator(".quiz").count() == 20
    for why in quiz.locator(".why:visible").all():
        box = why.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_every_link_to_read_again_leads_to_a_section():
    links = re.findall(r'<a href="\.\./([\w-]+\.html)#([\w-]+)">Read again', (HTML / PAGE[1:]).read_text("utf-8"))
    assert len(links) == 60
    for file, anchor in set(links):
        assert f'id="{anchor}"' in (HTML / "book" / file).read_text("utf-8"), f"{file} has no {anchor}"


@pytest.mark.parametrize("length", [45, 90, 180])
def test_every_link_of_a_path_leads_to_a_section(length):
    text = (HTML / "book" / "workshop" / f"{length}-minutes.html").read_text("utf-8")
    links = re.findall(r'href="\.\./([\w-]+\.html)#([\w-]+)"', text)
    assert len(links) >= 8
    for file, anchor in set(links):
        assert f'id="{anchor}"' in (HTML / "book" / file).read_text("utf-8"), f"{file} has no {anchor}"
