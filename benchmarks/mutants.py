"""Is a test there for each line of the mathematics? Sources with one small change each, and whether a test notices.

python -m benchmarks.mutants [--sample 160] [--seed 0] [--processes 2] [--minutes 30]

Each change is tried in a process of its own that runs the tests of its file, until one fails; those that take longest
are left out. A change that none notices is listed; REASONS says why. After so many minutes no more changes are tried.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import os
import random
import signal
import sys

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
ADDED = "a gap: a test was added after this trial"
REASONS = {  # "file: was -> becomes" -> why no test can, or need, notice
    "schedule.py: 700 -> 701": "a bound with room: float64 ends at e^709",
    "schedule.py: max(abs(start), abs(end)) <= 700 * tau -> max(abs(start), abs(end)) < 700 * tau": "the same bound",
    "schedule.py: -1 -> 1": "falling is seen in the second time as in the last; others are refused after",
    "sampler.py: 1 -> 2": "the last of two kept steps is the last step",
    "sampler.py: 20 -> 21": "a default, which is a choice",
    "diffusion/noise.py: 10 -> 11": "a limit against absurd sizes",
    "diffusion/elbo.py: 10 ** 6 -> 10 * 6": "a limit against absurd sizes; 17 is in use",
    "diffusion/elbo.py: 6.4 -> 7.4": "a default: the bound holds between any two ends",
    "diffusion/elbo.py: 17 -> 18": "a default, which is a choice",
    "diffusion/elbo.py: 2 -> 3": "pixels lie on the grid, and none between its last two values",
    "diffusion/elbo.py: not ((grey - grey.round()).abs() < 0.01).all() or not (x0.abs() <= 1 + 1e-06).all() -> "
    "not ((grey - grey.round()).abs() < 0.01).all() and (not (x0.abs() <= 1 + 1e-06).all())": ADDED,
    "diffusion/loss.py: 0.001 -> 1.001": ADDED,
    "diffusion/pixels.py: 1 -> 2": ADDED,
    "diffusion/timesteps.py: 0 -> 1": ADDED,
    "diffusion/arguments.py: most == math.inf -> most != math.inf": ADDED,
    "training/muon.py: True -> False": "both lists come from one and are equally long",
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
        chosen = f"not ({' or '.join(LEFT_OUT)})"
        tests = [str(ROOT / "tests" / name) for name in TESTS[file]]
        return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-k", chosen, *tests]) != 0
    except BaseException:
        return True


def sample(number: int, seed: int) -> list[tuple[str, Mutant]]:
    """So many of all changes, without repetition."""
    every = [(file, m) for file in TESTS for m in mutants((ROOT / "ddpm_core" / file).read_text())]
    return random.Random(seed).sample(every, min(number, len(every)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30)
    options, clock = parser.parse_args(), Stopwatch()
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what they import was imported before pytest could rewrite it
    for name in PRELOADED:
        importlib.import_module(name)
    chosen, survivors, tried = sample(options.sample, options.seed), [], 0
    with multiprocessing.get_context("fork").Pool(options.processes, maxtasksperchild=1) as pool:
        files = sorted({file for file, _ in chosen})
        failing = [f for f, bad in zip(files, pool.imap(noticed, [(f, None) for f in files]), strict=True) if bad]
        if failing:
            raise SystemExit(f"the tests fail without any change: {', '.join(failing)}")
        for (file, m), seen in zip(chosen, pool.imap(noticed, [(f, m.source) for f, m in chosen]), strict=True):
            if not seen:
                survivors.append({"where": f"{file}: {m}", "line": m.line})
            tried += 1
            print("noticed" if seen else "SURVIVED", f"{file}:{m.line}: {m}", flush=True)
            if clock.minutes() > options.minutes:
                break
    of = sum(len(mutants((ROOT / "ddpm_core" / file).read_text())) for file in TESTS)
    rows = [row | {"reason": REASONS.get(row["where"], "not known")} for row in survivors]
    counts = {"possible": of, "tried": tried, "noticed": tried - len(rows), "survivors": rows}
    trust.note("mutants", counts | {"seed": options.seed, "tests_left_out": len(LEFT_OUT)}, clock)


if __name__ == "__main__":
    main()
