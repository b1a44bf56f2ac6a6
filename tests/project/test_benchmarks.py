"""The benchmarks count what they say they count. Nothing is timed here, and no peer but diffusers is needed."""

import contextlib
import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ddpm_core.diffusion import gaussian

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = [
    "bad_input", "covered", "equal_seconds", "faults", "growth", "in_the_page", "many_pictures", "mutants", "on_a_gpu",
    "one_person", "optimizer_overhead", "processes", "supply", "the_space", "training_step", "versions",
]  # fmt: skip


def script(name):
    """The script as a module."""
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def clock():
    return importlib.import_module("benchmarks.rig.clock")


@pytest.fixture
def peers():
    return importlib.import_module("benchmarks.rig.peers")


@pytest.fixture
def step():
    return importlib.import_module("benchmarks.rig.step")


@pytest.fixture
def spiral():
    return importlib.import_module("benchmarks.rig.spiral")


@pytest.fixture
def small(peers):
    return peers.Layout(1, 8, (8, 16), 1, (1,), batch=4)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_of_peers_can_be_imported(name):
    assert script(name).main.__name__ == "main"
    assert sorted(p.stem for p in FOLDER.glob("*.py")) == sorted([*SCRIPTS, "fresh_clone", "pages"])


def test_turns_alternate_and_the_first_do_not_count(clock):
    calls, now = [], [0]

    def takes(name, *seconds):
        waits = iter(seconds)
        return lambda: (calls.append(name), now.__setitem__(0, now[0] + next(waits)))

    steps = {"a": takes("a", 100, 1, 3), "b": takes("b", 100, 2, 4)}
    found = clock.in_turns(steps, rounds=2, warm=1, now=lambda: now[0])
    assert calls == ["a", "b"] * 3 and found == {"a": [1, 3], "b": [2, 4]}


def test_the_middle_is_a_median_with_its_range(clock):
    assert clock.middle([3.0, 1.0, 100.0]) == [3.0, 1.0, 100.0]
    assert clock.middle([1.23456, 2.0]) == [1.617, 1.235, 2.0]


def test_a_ratio_is_taken_turn_by_turn(clock):
    """The machine was slow in the second turn, for both alike: the ratio does not see it."""
    assert clock.ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == [2.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        clock.ratio([1.0, 2.0], [1.0])


def test_growth_in_step_is_one(clock):
    assert clock.growth([1, 2, 8], [0.5, 1.0, 4.0]) == [1.0, 1.0]
    assert clock.growth([1, 2, 4], [1.0, 4.0, 4.0]) == [2.0, 0.5]


def test_memory_is_that_of_another_process(clock, tmp_path, monkeypatch):
    head = "import time\nfrom benchmarks.rig import clock\n"
    (tmp_path / "held.py").write_text(
        head + "print(*clock.most_held(lambda: (bytearray(100 << 20), time.sleep(0.1))))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = clock.memory_of("held")
    assert 99 < found["of_the_steps_mib"] < 110 and found["peak_mib"] > found["of_the_steps_mib"]


def test_operations_are_counted_there_and_back(step, small):
    """A convolution and attention: three products each way, less the gradient of the images, which nobody asks for."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.Conv2d(4, 1, 1, bias=False)

        def forward(self, x, t):
            h = self.one(x).flatten(2).mT[:, None]
            h = nn.functional.scaled_dot_product_attention(h, h, h)[:, 0].mT.reshape(len(x), 4, 8, 8)
            return self.two(h)

    pixels = 64
    one, two, attention = 2 * 9 * 4 * pixels, 2 * 4 * pixels, 2 * 2 * pixels * pixels * 4
    assert step.flops(Net(), small) == 2 * one + 3 * two + 3 * attention


def test_a_step_is_that_of_plain_adam_and_average(step, small):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8)))
    x, t, eps = step.batch(small)
    before = net[1].weight.detach().clone()

    class Asked(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t):
            return self.net(x)

    wanted = torch.autograd.grad(nn.functional.mse_loss(net(x), eps), net[1].weight)[0]
    step.training_step(Asked(), x, t, eps)()
    moved = net[1].weight - before
    torch.testing.assert_close(moved, -1e-4 * wanted.sign(), rtol=0.02, atol=1e-6)  # Adam's first step is lr each
    assert net[1].weight.grad is None


def test_diffusers_builds_the_very_layout_that_ours_is(peers, step, small):
    for layout in (small, replace(small, in_channels=3, channels=(8, 8, 16), blocks=2, side=16)):
        ours, theirs = peers.build(peers.OURS, layout), peers.build("diffusers", layout)
        assert {k: v.shape for k, v in ours.state_dict().items()} == {
            k.removeprefix("net."): v.shape for k, v in theirs.state_dict().items()
        }
        ours.load_state_dict({k.removeprefix("net."): v for k, v in theirs.state_dict().items()})
        x, t, _ = step.batch(layout)
        torch.testing.assert_close(ours(x, t), theirs(x, t), rtol=0, atol=1e-5)
        # of the growing convolution, 4 of 9 products are left; the rest of the work is the same
        assert 0.8 < step.flops(ours, layout) / step.flops(theirs, layout) < 1


def test_a_name_says_how_the_weights_lie_in_memory(peers, small):
    def last(name):
        weights = [p for p in peers.build(name, small).parameters() if p.ndim == 4 and min(p.shape) > 1]
        return {p.is_contiguous(memory_format=torch.channels_last) for p in weights}

    assert last(peers.OURS) == last("diffusers" + peers.CHANNELS_LAST) == {True}
    assert False in last("diffusers")
    assert len(set(peers.entrants())) == len(peers.entrants()) and peers.OURS in peers.entrants()


def test_the_sizes_are_as_large_as_they_are_called(peers):
    with torch.device("meta"):
        found = {name: sum(p.numel() for p in peers.ours(o).parameters()) for name, o in peers.SIZES.items()}
    assert {name: f"{n / 1e6:.3g} M" for name, n in found.items()} == {
        "0.7 M": "0.701 M", "2.25 M": "2.25 M", "35.7 M": "35.7 M",
    }  # fmt: skip


def test_the_table_compares_each_with_ours(monkeypatch, clock, small):
    """A product, ours and a peer, of known seconds."""
    found, seconds = script("training_step"), {"GEMM": 1e-3, "ddpm_core.paper": 0.5, "diffusers": 1.0}
    monkeypatch.setattr(clock, "in_turns", lambda steps, rounds: {name: [seconds[name]] * rounds for name in steps})
    table = found.compared(small, ["ddpm_core.paper", "diffusers"], rounds=3, n=64)
    ours, theirs = table["rows"]["ddpm_core.paper"], table["rows"]["diffusers"]
    assert theirs["ours_is_faster_by"] == [2.0, 2.0, 2.0] and ours["ours_is_faster_by"] == [1.0, 1.0, 1.0]
    assert ours["images_per_second"][0] == 8 and theirs["images_per_second"][0] == 4
    assert table["gemm_gflops"][0] == pytest.approx(2 * 64**3 / 1e-3 / 1e9, rel=1e-3)
    share = theirs["gflop_per_image"] * 4 / table["gemm_gflops"][0]
    assert theirs["share_of_gemm"][0] == pytest.approx(share, rel=2e-3)
    assert ours["share_of_gemm_by_the_layout"][0] == pytest.approx(2 * share, rel=2e-3)


def test_both_loops_of_the_gpu_run_on_a_cpu(monkeypatch, peers, small):
    found = script("on_a_gpu")
    table = found.measured(small, "cpu", "no", rounds=1, steps=2, n=64)
    assert set(table["rows"]) == {"ddpm_core", "diffusers"} and table["ours_is_faster_by"][0] > 0


def test_without_a_gpu_nothing_is_claimed(monkeypatch, tmp_path, capsys):
    found = script("on_a_gpu")
    monkeypatch.setattr(importlib.import_module("experiments.common.results_file"), "RESULTS", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", [str(FOLDER / "on_a_gpu.py")])
    found.main()
    assert "not measured" in capsys.readouterr().out and not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers with numpy 2
def test_all_ways_to_spend_the_seconds_are_judged_alike(monkeypatch):
    """For a moment each, by judges that only look at what they are given."""
    found = script("equal_seconds")
    digits = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    w = type("World", (), {"known": type("Known", (), {"images": digits}), "held": found.to_float(digits[:4])})
    monkeypatch.setattr(found, "CALLS", 4)
    monkeypatch.setattr(found, "SAMPLES", 3)
    monkeypatch.setattr(found.small_trainings, "judged", lambda w, images: tuple(images.shape))
    monkeypatch.setattr(found, "LAYOUT", replace(found.LAYOUT, channels=(8, 16), batch=8))
    for train, draw in found.ROWS.values():
        row = found.judged(w, train(w, 0, 0.2), draw)
        assert row["frechet"] == (3, 1, 8, 8) and row["bits_per_dim"] > 0 and row["steps"] >= 1
        assert row["images"] in (16 * row["steps"], 64 * row["steps"])


def test_its_cosine_and_its_v_are_ours():
    """So that the row with our recipe differs from ours in the network and the solver alone."""
    found = script("equal_seconds")
    noise, s = found.as_ours(), found.COSINE
    torch.testing.assert_close(noise.alphas_cumprod.double(), s.alpha_bar[1:], rtol=1e-3, atol=1e-6)
    x0, eps, t = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8), torch.tensor([1, 300, 700, 990])
    x_t = noise.add_noise(x0, eps, t - 1)
    torch.testing.assert_close(
        noise.get_velocity(x0, eps, t - 1), found.V.target(s, x0, x_t, t, eps), atol=1e-4, rtol=0
    )


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers with numpy 2
def test_its_solver_clamps_each_guess_where_it_says_so():
    """A network whose guess is 3 everywhere: clamped, the walk ends at 1; and so it does with ours."""
    found = script("equal_seconds")
    s = found.COSINE
    seen = []

    class Net(nn.Module):
        def forward(self, x, t):
            seen.append(x)
            three = torch.full_like(x, 3.0)
            return found.V.target(s, three, x, t, gaussian.eps_from_x0(s, x, t, three)).float()

    x = torch.randn(2, 1, 8, 8)
    trained = found.Trained(Net(), s, found.V, 0, 0)
    theirs, before_last = found.clamped_at_each_step(trained, x), seen[-1]
    assert torch.allclose(theirs, torch.ones_like(x), atol=1e-4) and before_last.max() < 1.5
    assert torch.allclose(found.our_draw(trained, x), theirs, atol=1e-4)


def test_the_way_to_the_spiral_is_there_and_back(spiral):
    centres = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    assert spiral.distance(centres, centres) == 0
    assert spiral.distance(centres + torch.tensor([0.0, 0.5]), centres) == 1.0  # half there, half back
    assert spiral.distance(centres[:1], centres) == 1.5  # no point astray, but half of it is without points
    assert spiral.distance(torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 6.0]]), centres) == 2.0  # one of three astray


def test_the_spiral_is_there_from_when_it_stays(spiral):
    seconds = [1.0, 2.0, 3.0, 4.0]
    assert spiral.since(seconds, [3.0, 1.4, 1.3, 1.2], 1.5) == 2.0
    assert spiral.since(seconds, [1.2, 1.6, 1.5, 1.3], 1.5) == 3.0  # it was there, and went again
    assert spiral.since(seconds, [1.0, 1.0, 1.0, 1.6], 1.5) is None


def test_a_turn_in_which_the_spiral_never_came_leaves_no_time(monkeypatch, spiral):
    class Browser:
        def new_context(self, **how):
            return contextlib.nullcontext(self)

        def new_page(self):
            return None

    turns = iter([([1.0, 2.0], [300, 600], [1.4, 1.2]), ([1.0, 2.0], [200, 400], [2.0, 1.3])])
    monkeypatch.setattr(spiral, "learning", lambda *asked: next(turns))
    assert script("in_the_page").spiral_learned(Browser(), "link", 2) == {
        "spiral_within_1.5_seconds": [1.5, 1.0, 2.0], "spiral_within_1.25_seconds": None,
        "spiral_ratio": [1.25, 1.2, 1.3], "spiral_steps": [500, 400, 600], "spiral_seconds": 20,
    }  # fmt: skip


def test_the_wait_for_the_space_is_that_of_half_and_the_longest():
    assert script("the_space").summary([float(k) for k in range(20, 0, -1)]) == {"p50": 10.5, "longest": 20.0}


def test_the_space_is_asked_for_what_it_offers(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER.parent / "space"))
    drawing = importlib.import_module("drawing")
    asked = script("the_space").MODELS.values()
    assert [title for title, _, _ in asked if title not in drawing.MODELS] == [] and len(asked) == len(drawing.MODELS)
    for title, label, caption in asked:
        assert drawing.asked(title, label, caption, 1, script("the_space").STEPS, "DPM-Solver++", 1, 0).n == 1


def test_lines_are_counted_by_the_file_of_the_package():
    summary = {"num_statements": 7, "missing_lines": 2, "covered_lines": 5}
    report = {"files": {"ddpm_core/unet.py": {"summary": summary}, "x/ddpm_core/cli/train.py": {"summary": summary}}}
    assert script("covered").lines(report) == {"cli/train.py": (7, 2), "unet.py": (7, 2)}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the kernel's memory as Linux tells it")
def test_one_person_is_the_memory_and_the_seconds_of_a_kernel(tmp_path):
    from nbformat import v4, write

    held = "import time\nheld = bytearray(200 << 20)\ndel held\nwhile time.process_time() < 2: pass"
    for name, cells in (("idle", []), ("busy", [held])):
        write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells]), tmp_path / f"{name}.ipynb")
    idle, busy = (script("one_person").row(tmp_path / f"{name}.ipynb") for name in ("idle", "busy"))
    assert busy["peak_mib"] - idle["peak_mib"] > 150 and busy["processor_seconds"] >= 2
    assert busy["clock_seconds"] >= 2


def test_rows_of_other_chapters_are_kept(tmp_path):
    assert script("one_person").kept(tmp_path) == {}
    (tmp_path / "one_person.json").write_text('{"results": {"rows": {"a": {"peak_mib": 1}}}}')
    assert script("one_person").kept(tmp_path) == {"a": {"peak_mib": 1}}


def test_what_was_found_of_other_versions_stays():
    def row(python, at_bounds=False, **counts):
        return {"python": python, "at_bounds": at_bounds, **counts}

    before = [row("3.10.13", tests=1), row("3.10.13", True, tests=2), row("3.12.1", tests=3, cells=4)]
    assert script("versions").merged(before, [row("3.12.1", tests=5), row("3.9.1", tests=6)]) == [
        row("3.9.1", tests=6), before[0], row("3.12.1", tests=5, cells=4), before[1],
    ]  # fmt: skip


def test_an_error_of_a_test_counts_as_a_failure():
    counted = script("versions").counted
    assert counted("2 failed, 30 passed, 1 skipped, 4 errors in 5.67s") == {"passed": 30, "failed": 6, "skipped": 1}
    assert counted("1 error in 0.12s") == {"passed": 0, "failed": 1, "skipped": 0}


def test_what_has_been_mended_passes_and_nothing_else_is_counted():
    mended, before = script("versions").mended, {"passed": 10, "failed": 3, "skipped": 1}
    now = {"passed": 1, "failed": 1, "skipped": 1}
    assert mended(before, now) == {"passed": 11, "failed": 1, "skipped": 2}
    with pytest.raises(SystemExit, match="need the 3 tests that failed before, but 4 ran"):
        mended(before, now | {"passed": 2})


def test_the_bounds_are_those_of_what_is_always_needed():
    text = 'dependencies = [\n    "torch>=2.6",\n    "numpy>=1.26",\n]\n[optional]\nx = ["onnx>=1.16"]'
    found = script("versions")
    assert found.bounds(found.always(text)) == {"numpy": "1.26", "torch": "2.6"}
    assert found.bounds(text) == {"numpy": "1.26", "onnx": "1.16", "torch": "2.6"}


@pytest.mark.parametrize("known", [{}, {"info": {"version": "2"}, "vulnerabilities": []}])
def test_a_release_that_the_index_does_not_answer_for_is_not_free_of_holes(known):
    found = script("supply")
    assert found.holes("a", "1", page=lambda address: known if address == "a" else {}) is None
    assert found.asked({"a": "1"}, holes=lambda name, version: ["X"] if name != "a" else None) == {
        "known_holes": {}, "answered": 0, "unanswered": ["a 1"],
    }  # fmt: skip


def test_an_index_without_the_control_knows_no_holes():
    assert script("supply").asked({"a": "1"}, holes=lambda name, version: []) == {"known_holes": "not measured"}


def test_holes_are_those_of_the_release():
    holes = [{"id": "B"}, {"id": "A", "withdrawn": None}, {"id": "C", "withdrawn": "2026-01-01T00:00:00Z"}]
    told = {"info": {"version": "1"}, "vulnerabilities": holes}
    assert script("supply").holes("a", "1", page=lambda address: told if address == "a/1" else {}) == ["A", "B"]
    listed = {"A_b": [{"id": "X", "v": "<2"}, {"id": "Y", "v": ">=1,<1.5"}], "c": [{"id": "Z", "v": ">0"}]}
    assert script("supply").looked_up(listed, {"a-b": "1.5", "d": "1"}) == {"a-b 1.5": ["X"]}
