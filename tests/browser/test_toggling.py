"""The pieces of a U-Net on a bare page: at every position of the toggles the table is the one that Python counts."""

import itertools

import bare
import pytest
from axe_playwright_python.sync_playwright import Axe

from ddpm_core.book import widgets
from ddpm_core.book.widgets.unet_builder import BLOCKS, LEVELS, PATCHES, PICTURES, WIDTHS
from ddpm_core.networks import flops

# What the table says at each of many positions, as the exact numbers behind it.
READ = """(figure, positions) => positions.map(([picture, patch, levels, widths, blocks, attention, skips]) => {
    const choose = (set, k) => figure.querySelectorAll(`.${set} input`)[k].checked = true;
    choose("picture", picture); choose("patch", patch); choose("levels", levels);
    choose("widths", widths); choose("blocks", blocks);
    figure.querySelectorAll(".attention input").forEach((box, k) => box.checked = attention.includes(k));
    figure.querySelector(".skips input").checked = skips;
    figure.querySelector("form").dispatchEvent(new Event("input"));
    const sentence = figure.querySelector(".verdict").textContent;
    if (sentence) return sentence;
    return Array.from(figure.querySelectorAll("tbody tr, tfoot tr"), row =>
        [row.cells[0].textContent, row.cells[1].textContent, row.cells[2].title, row.cells[3].title].join());
})"""


@pytest.fixture(scope="module")
def figure():
    return widgets.build_unet(label="The pieces of a U-Net")


def expected(figure, position):
    picture, patch, levels, widths, n, attention, skips = position
    pieces = figure.frame(
        list(PICTURES)[picture], PATCHES[patch], LEVELS[levels], WIDTHS[widths], BLOCKS[n], attention, skips
    )
    if isinstance(pieces, str):
        return pieces
    rows = [(p.name, "×".join(map(str, p.shape)), f"{p.weights:,}", f"{p.work:,}") for p in pieces]
    total = [("all", "", f"{sum(p.weights for p in pieces):,}", f"{sum(p.work for p in pieces):,}")]
    return [",".join(row) for row in rows + total]


def every_position():
    places = itertools.product(*map(range, map(len, (PICTURES, PATCHES, LEVELS, WIDTHS, BLOCKS))))
    for place in places:
        levels = LEVELS[place[2]]
        for n in range(levels + 1):
            for attention in itertools.combinations(range(levels), n):
                yield from ((*place, attention, skips) for skips in (True, False))


def test_the_table_is_the_one_that_python_counts_at_every_position(bare_page, figure):
    page, positions = bare_page(figure._repr_html_()), list(every_position())
    shown = page.locator(".ddpm-blocks").evaluate(READ, positions)
    wrong = [p for p, rows in zip(positions, shown, strict=True) if rows != expected(figure, p)]
    assert wrong == [] and len(positions) == 3 * 2 * 3 * 3 * 30 * 2


def number(text):
    """'10.6 M' as a number."""
    value, unit = text.split()
    return float(value) * {"k": 1e3, "M": 1e6, "G": 1e9}[unit]


def test_what_is_shown_at_first_is_the_network_of_the_digits(bare_page, figure):
    page = bare_page(figure._repr_html_())
    pieces = figure.frame("8×8 grey", 1, 2, WIDTHS[2], 1, (1,), True)
    rows = [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]
    assert [row[0] for row in rows] == [piece.name for piece in pieces]
    assert [int(row[2].replace(",", "")) for row in rows] == [piece.weights for piece in pieces]
    assert [number(row[3]) for row in rows] == pytest.approx([piece.work for piece in pieces], rel=5e-3)
    assert page.locator("tfoot td").nth(1).inner_text() == "555,905"
    assert f"{flops.seen_from_the_bottom(2, 1)}×" in page.locator(".sees").inner_text()


@pytest.mark.parametrize(("levels", "n", "patch"), [(1, 1, 1), (3, 2, 1), (4, 3, 2), (2, 1, 2)])
def test_it_says_how_far_the_bottom_sees(bare_page, figure, levels, n, patch):
    page = bare_page(figure._repr_html_())
    position = [1, PATCHES.index(patch), LEVELS.index(levels), 0, BLOCKS.index(n), [], True]
    page.locator(".ddpm-blocks").evaluate(READ, [position])
    side = flops.seen_from_the_bottom(levels, n, patch)
    assert f" {side}×{side} pixels" in page.locator(".sees").inner_text()


def test_it_is_toggled_by_key_and_by_touch(bare_page, figure):
    page = bare_page(figure._repr_html_(), has_touch=True)
    total = page.locator("tfoot td").nth(1)
    before = total.inner_text()
    page.get_by_label("2", exact=True).first.press("ArrowRight")  # from two levels to three
    assert page.locator("tbody tr").count() == 14 and total.inner_text() != before
    page.get_by_label("on").press("Space")
    without = int(total.inner_text().replace(",", ""))
    page.get_by_text("on", exact=True).tap()
    assert int(total.inner_text().replace(",", "")) > without


def test_attention_is_offered_where_there_are_levels_and_named_by_their_size(bare_page, figure):
    page = bare_page(figure._repr_html_())
    labels = page.locator(".attention label")
    assert [label.inner_text() for label in labels.all() if label.is_visible()] == ["8×8", "4×4"]
    page.get_by_label("32×32 grey").check()
    page.get_by_label("4", exact=True).check()
    assert [label.inner_text() for label in labels.all() if label.is_visible()] == ["32×32", "16×16", "8×8", "4×4"]


def test_a_network_that_cannot_be_is_answered_with_a_sentence(bare_page, figure):
    page = bare_page(figure._repr_html_())
    page.get_by_role("radio", name="2×2").check()
    page.get_by_label("4", exact=True).check()
    assert page.locator(".verdict").inner_text() == "need image sides divisible by 16, but got 8x8."
    assert not page.locator("table").is_visible() and not page.locator(".sees").is_visible()
    page.get_by_label("32×32 colour").check()
    assert page.locator(".verdict").inner_text() == "" and page.locator("table").is_visible()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1000])
def test_page_is_accessible_and_nothing_sticks_out(bare_page, figure, width, dark):
    page = bare_page(figure._repr_html_(), width=width, dark=dark)
    page.locator(".ddpm-blocks").evaluate(READ, [[2, 0, 3, 2, 2, [0, 1, 2, 3], True]])  # the longest numbers
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".ddpm-blocks").evaluate("e => e.scrollWidth <= e.clientWidth")
    for label in page.locator("label").all():
        assert label.bounding_box()["height"] >= 44
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []


def test_two_of_them_on_a_page_keep_apart(bare_page, figure):
    other = widgets.build_unet(label="Another one")
    page = bare_page(figure._repr_html_() + other._repr_html_())
    page.locator(".ddpm-blocks").nth(1).get_by_label("4", exact=True).check()
    assert [table.locator("tbody tr").count() for table in page.locator("table").all()] == [10, 18]
    page.evaluate(bare.INSERT, figure._repr_html_())
    page.evaluate(bare.INSERT, figure._repr_html_())
    assert page.locator(".fallback").count() == 0


def test_without_scripts_a_sentence_says_so(bare_page, figure):
    page = bare_page(figure._repr_html_(), java_script_enabled=False)
    assert page.locator(".fallback").is_visible() and page.locator(".live").is_hidden()
