"""The page on scale is computed from the results files, and its arithmetic is right where it can be checked."""

from pathlib import Path

import pytest
import scale

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "book" / "results"
PAPER, OURS, LARGE = scale.TRAININGS


def test_the_page_is_in_step_with_the_results():
    assert (ROOT / "book" / "scale.md").read_text() == scale.page(RESULTS)


def test_the_networks_are_as_large_as_the_paper_says():
    """35.7 million weights for CIFAR-10, 114 million for 256x256  [Ho 2020, appendix B]."""
    assert [round(o.weights() / 1e6, 1) for o in (PAPER, OURS)] == [35.7, 35.7]
    assert round(LARGE.weights() / 1e6) == 114


def test_the_paper_s_training_for_cifar10_took_it_10_6_hours():
    assert PAPER.steps / PAPER.pace / 3600 == pytest.approx(10.6, abs=0.05)


def test_convolutions_of_four_times_the_pixels_cost_four_times_as_much():
    """Attention has as many positions at both sizes; what little depends on no pixel does not grow."""
    per_picture = [o.flop() / o.steps / o.batch for o in (PAPER, OURS)]
    assert 3.6 < per_picture[1] / per_picture[0] < 4


def test_one_process_has_nothing_to_exchange_and_many_send_each_gradient_almost_twice():
    assert scale.exchange(1000, 1, 1.0) == 0
    assert scale.exchange(1000, 2, 4.0) == 1000  # half out, half back: each of 1000 weights once, 4 bytes
    assert scale.exchange(1000, 1001, 4.0) == pytest.approx(2000, rel=1e-2)


def test_without_a_wire_to_wait_for_n_processes_take_an_nth():
    one, eight = (scale.hours(PAPER, 1e12, n, wire=float("inf")) for n in (1, 8))
    assert one == pytest.approx(8 * eight) and one == pytest.approx(PAPER.flop() / 1e12 / 3600)


def test_the_allowance_is_the_last_measured_growth_once_for_each_doubling():
    growth = {"results": {"resolution": {"growth": [0.5, 1.1]}}}
    assert [scale.allowance(growth, side) for side in (32, 64, 256)] == pytest.approx([1, 1.1, 1.1**3])
    assert scale.allowance({"results": {"resolution": {"growth": [0.9]}}}, 64) == 1


def test_a_rate_is_work_over_time():
    rows = [{"gflop": 1.0, "seconds": [9, 9, 9]}, {"gflop": 6.0, "seconds": [2.0, 1, 3]}]
    assert scale.rate_of_a_core({"results": {"resolution": {"rows": rows}}}) == 3e9
    run = {"recipe": "cars32-gpu", "images_seen": 60, "minutes": 1.0}
    cars = scale.network(scale.RECIPES["cars32-gpu"])
    assert scale.rate_of_a_gpu({"results": {"training": run}}) == scale.training_flops(cars, (3, 32, 32))


def test_spans_are_rounded_to_what_is_known():
    assert (scale.span(1234, 1234), scale.span(0.123, 4567)) == ("1,200", "0.12 to 4,600")
