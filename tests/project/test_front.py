"""The first page: what it says of the results is what their files say, and every chapter has its card."""

import json
import re

import front
import pytest
from PIL import Image

SHOWN = front.ROOT / "book" / "_static" / "front"
ABOUT = json.loads((SHOWN / "opening.json").read_text())


def test_no_piece_is_out_of_step():
    """With the results, the table of contents, the chapters' titles: else run `make notebooks`."""
    for name, written in front.PIECES.items():
        assert (front.FOLDER / name).read_text("utf-8") == written(), name


def test_every_chapter_has_a_card():
    toc = re.findall(r"book/(\d\d-[\w-]+)", (front.ROOT / "_toc.yml").read_text())
    assert re.findall(r'<li><a href="([^"]+)\.html">', front.cards()) == toc
    assert all(question for _, pages in front.chapters() for _, question in map(front.title_and_question, pages))


@pytest.mark.parametrize("tell", [tell for tell, *_ in front.RESULTS])
def test_a_result_that_is_no_longer_so_is_not_told(tell, monkeypatch):
    """Were the files to say that the club's model draws best, or that twenty calls are too few, no page is written."""
    known = front.found

    def worse(name):
        about = known(name)
        found = about["results"]
        if name == "stall":
            for run in found["runs"]:
                run["looks"][-1]["frechet"] = run["looks"][3]["frechet"]
        elif name == "car_minutes":
            found["club"]["frechet"] = 1.0
        else:
            found["rows"]["fashion32"]["eta 1"]["20"]["frechet"][0] = 99.0
        return about

    assert all(tell())
    monkeypatch.setattr(front, "found", worse)
    with pytest.raises(AssertionError):
        tell()


def test_the_generator_gets_its_button_when_it_has_a_page():
    assert ('href="generator.html"' in front.opening()) == (
        front.GENERATOR in (front.ROOT / "_toc.yml").read_text().split()
    )


def test_the_film_fits_its_times():
    pictures, columns, side = ABOUT["size"]
    with Image.open(SHOWN / "opening.webp") as film:
        assert film.size == (columns * side, len(ABOUT["times"]) * pictures // columns * side)
    assert ABOUT["times"] == sorted(ABOUT["times"], reverse=True) and ABOUT["times"][-1] == 0


def test_the_cards_are_light():
    cards = [path for path in SHOWN.glob("*.png") if re.fullmatch(r"\d\d", path.stem)]
    assert len(cards) >= 8
    assert sum(path.stat().st_size for path in cards) <= 300_000
    assert sum(path.stat().st_size for path in SHOWN.iterdir()) <= 500_000
