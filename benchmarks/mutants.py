"""Is a test there for each line of the mathematics? Sources with one small change each, and whether a test notices.

python -m benchmarks.mutants [--sample 160] [--seed 0] [--processes 2] [--minutes 30]
python -m benchmarks.mutants --again

Each change is tried in a process of its own that runs the tests of its file, until one fails; those that take longest
are left out. A change that none notices is listed; REASONS says why. After so many minutes no more changes are tried.
--again tries what was not noticed, and has no reason, against the tests as they are now; the counts stay.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rig import trust
from benchmarks.rig.mutation import Mutant, mutants
from experiments.common.results_file import ROOT, Stopwatch

SECONDS = 120  # of the processor: a change that makes a loop endless is noticed too
PRELOADED = "pytest", "accelerate", "diffusers", "diffusers.training_utils", "scipy.stats"  # once, for all processes
BAD_INPUT = "project/test_bad_input.py"
TESTS = {  # file of ddpm_core -> the tests that concern it, the quickest first
    "schedule.py": ["test_schedule.py", BAD_INPUT],
    "sampler.py": ["test_sampler.py", BAD_INPUT],
    "training/muon.py": ["training/test_muon.py"],
    "diffusion/arguments.py": ["diffusion/test_arguments.py", "diffusion/test_gaussian.py", BAD_INPUT],
    "diffusion/elbo.py": ["diffusion/test_elbo.py", BAD_INPUT],
    "diffusion/flow.py": ["diffusion/test_flow.py", BAD_INPUT],
    "diffusion/gaussian.py": ["diffusion/test_gaussian.py", "diffusion/test_posterior.py", BAD_INPUT],
    "diffusion/guidance.py": ["diffusion/test_guidance.py", BAD_INPUT],
    "diffusion/loss.py": ["diffusion/test_loss.py", "diffusion/test_weighting.py", BAD_INPUT],
    "diffusion/mixture.py": ["diffusion/test_mixture.py", BAD_INPUT],
    "diffusion/model.py": ["diffusion/test_model.py", BAD_INPUT],
    "diffusion/noise.py": ["diffusion/test_noise.py", BAD_INPUT],
    "diffusion/pixels.py": ["diffusion/test_pixels.py", BAD_INPUT],
    "diffusion/prediction.py": ["diffusion/test_prediction.py", BAD_INPUT],
    "diffusion/score.py": ["diffusion/test_score.py", BAD_INPUT],
    "diffusion/sde.py": ["diffusion/test_sde.py", BAD_INPUT],
    "diffusion/timesteps.py": ["diffusion/test_timesteps.py", "test_sampler.py", BAD_INPUT],
    "diffusion/variance.py": ["diffusion/test_variance.py", BAD_INPUT],
}
LEFT_OUT = (  # each takes more than five seconds
    "density_within_a_thousandth", "small_strides_recover", "comes_within_a_thousandth", "any_noise_the_way_back",
    "sampler_recovers_the_data", "likelihood_of_a_network", "agrees_by_every_clock", "falls_at_the_solvers_order",
    "approaches_the_continuous", "linear_chain_follows", "offers_every_optimiser", "where_a_fine_chain_leads",
)  # fmt: skip
UNKNOWN, ADDED = "not known", "a gap: a test was added since, and it notices"
REASONS = {  # (file, part of the changed line) -> why no test can, or need, notice
    ("schedule.py", "<= 701 * tau"): "a bound with room: float64 ends at e^709",
    ("schedule.py", "< 700 * tau"): "the same bound",
    ("schedule.py", "road[0] > road[(1)]"): "the second time shows as well as the last which way they go",
    ("sampler.py", "maxlen=2"): "the last of two kept steps is the last step",
    ("sampler.py", "steps: int = 21"): "a default, which is a choice",
    ("diffusion/noise.py", "MANY = 11**7"): "a limit against absurd sizes",
    ("diffusion/loss.py", "n, 1, 10**9"): "a limit against absurd sizes",
    ("diffusion/elbo.py", "levels, 2, (10 * 6)"): "a limit against absurd sizes; 17 is in use",
    ("diffusion/elbo.py", "(-9.0, 7.4)"): "a default: the bound holds between any two ends",
    ("diffusion/elbo.py", "levels: int = 18"): "a default, which is a choice",
    ("diffusion/elbo.py", "x0 < -1 + BIN / 3"): "pixels lie on the grid, and none between its first two values",
    ("diffusion/elbo.py", "x0 > 1 - BIN / 3"): "pixels lie on the grid, and none between its last two values",
    ("training/muon.py", "shape[-2] <= matrix.shape[(1)]"): "both Gram matrices lead there; the smaller is quicker",
    ("training/muon.py", "ahead, strict=False"): "both lists come from one and are equally long",
    ("training/muon.py", '["steps"]), strict=False'): "both lists come from one and are equally long",
}


class TooLong(BaseException):
    """A test that has used up its seconds."""


def stop(*_: object) -> None:
    raise TooLong


def load(file: str, source: str) -> None:
    """This source in place of the file's own, for this process alone: all of the package is imported anew."""
    for known in [name for name in sys.modules if name.split(".")[0] in ("ddpm_core", "experiments")]:
        del sys.modules[known]
    name = "ddpm_core." + file.removesuffix(".py").replace("/", ".")
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)
    parent, _, own = name.rpartition(".")
    setattr(sys.modules[parent], own, module)


def concerned(file: str) -> str:
    """Which tests, as pytest's -k has it: none that takes long, and of the calls with bad input the file's own."""
    own = "" if file == "diffusion/arguments.py" else Path(file).stem + "."  # which all the others call
    return f"not ({' or '.join(LEFT_OUT)}) and not calls_around_it and (not in_one_sentence or mathematics-{own})"


def noticed(case: tuple[str, str | None]) -> bool:
    """Whether a test of the file fails with this source (None: its own)."""
    import pytest

    file, source = case
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if source is not None:
            load(file, source)
        how = ["-x", "-q", "-p", "no:cacheprovider", "-k", concerned(file)]
        return any(pytest.main([*how, str(ROOT / "tests" / name)]) != 0 for name in TESTS[file])
    except BaseException:
        return True


def every() -> list[tuple[str, Mutant]]:
    """All changes to all files."""
    return [(file, m) for file in TESTS for m in mutants((ROOT / "ddpm_core" / file).read_text())]


def row(file: str, m: Mutant) -> dict:
    """A change as the results file has it, with its line as it then reads."""
    code = m.source.splitlines()[m.line - 1].strip()
    reasons = [why for (of, part), why in REASONS.items() if of == file and part in code]
    return {"where": f"{file}: {m}", "line": m.line, "code": code, "reason": reasons[0] if reasons else UNKNOWN}


def outcomes(chosen: list[tuple[str, Mutant]], processes: int) -> Iterator[tuple[str, Mutant, bool]]:
    """Each change, and whether it was noticed. SystemExit if the tests of a file fail without any."""
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what they import was imported before pytest could rewrite it
    for name in PRELOADED:
        importlib.import_module(name)
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        files = sorted({file for file, _ in chosen})
        failing = [f for f, bad in zip(files, pool.imap(noticed, [(f, None) for f in files]), strict=True) if bad]
        if failing:
            raise SystemExit(f"the tests fail without any change: {', '.join(failing)}")
        for (file, m), seen in zip(chosen, pool.imap(noticed, [(f, m.source) for f, m in chosen]), strict=True):
            print("noticed" if seen else "SURVIVED", f"{file}:{m.line}: {m}", flush=True)
            yield file, m, seen


def again(found: dict, processes: int) -> dict:
    """The section with what is now known of its survivors: a reason, or that a test notices them by now."""
    here = {(now["where"], now["code"]): (case, now) for case in every() for now in [row(*case)]}
    left = [here.get((old["where"], old["code"]), (None, old)) for old in found["survivors"]]
    open_ones = [case for case, now in left if case and now["reason"] == UNKNOWN]
    filled = {(file, m) for file, m, seen in outcomes(open_ones, processes) if seen}
    return found | {"survivors": [now | ({"reason": ADDED} if case in filled else {}) for case, now in left]}


def trial(number: int, seed: int, processes: int, minutes: float, clock: Stopwatch) -> dict:
    """The section: so many of all changes without repetition, or as many as the minutes allow, and who survived."""
    cases, survivors, tried = every(), [], 0
    chosen = random.Random(seed).sample(cases, min(number, len(cases)))
    for file, m, seen in outcomes(chosen, processes):
        tried += 1
        survivors += [] if seen else [row(file, m)]
        if clock.minutes() > minutes:
            break
    counts = {"possible": len(cases), "tried": tried, "noticed": tried - len(survivors), "survivors": survivors}
    return counts | {"seed": seed, "tests_left_out": len(LEFT_OUT)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--again", action="store_true")
    options, clock = parser.parse_args(), Stopwatch()
    if options.again:
        found = again(trust.found()["mutants"], options.processes)
    else:
        found = trial(options.sample, options.seed, options.processes, options.minutes, clock)
    trust.note("mutants", found, clock)


if __name__ == "__main__":
    main()
