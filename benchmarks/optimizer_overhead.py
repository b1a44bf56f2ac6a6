"""What the optimiser costs: whole training steps with Adam and with Muon, in turns, on the networks of two recipes.

python -m benchmarks.optimizer_overhead [--rounds 21] [--threads 2]
"""

import argparse

import torch

from benchmarks.rig import clock
from benchmarks.rig.peers import Layout
from benchmarks.rig.step import batch, training_step
from ddpm_core.networks.flops import parameter_count
from ddpm_core.recipes import RECIPES
from ddpm_core.recipes.config import network
from ddpm_core.training.optimizers import adam, muon
from experiments.common.results_file import Stopwatch, write

OPTIMIZERS = {"adam": adam, "muon": muon()}
BATCHES = (32, 128)
NOTE = (
    "each figure as [median, smallest, largest] over the turns; seconds: of a whole step, forward, backward, clip, "
    "optimiser, moving average; overhead: how much longer the step with Muon takes than the one with fused Adam, turn "
    "by turn, as a share; the same network, images and threads for both"
)


def measured(recipe: str, n: int, rounds: int) -> dict:
    """Steps of this recipe's network on batches of n images, by each optimiser, in turns."""
    config, channels = RECIPES[recipe].config, RECIPES[recipe].images[1]
    one, steps = batch(Layout(channels, 32, config.channels, config.blocks, config.attention, n)), {}
    for name, optimizer in OPTIMIZERS.items():
        torch.manual_seed(0)
        net = network(config, channels, None).to(memory_format=torch.channels_last)
        steps[name] = training_step(net, *one, optimizer)
    seconds = clock.in_turns(steps, rounds, warm=3)
    overhead = [m / a - 1 for m, a in zip(seconds["muon"], seconds["adam"], strict=True)]
    found = {name: clock.middle(spent) for name, spent in seconds.items()}
    return {"parameters": parameter_count(net), "seconds": found, "overhead": clock.middle(overhead)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    options, stopwatch = parser.parse_args(), Stopwatch()
    torch.set_num_threads(options.threads)
    rows = {}
    for recipe in ("fashion32", "cars32"):
        rows[recipe] = {str(n): measured(recipe, n, options.rounds) for n in BATCHES}
        print(recipe, rows[recipe], flush=True)
    write("optimizer_overhead", {"rows": rows, "threads": options.threads, "note": NOTE}, stopwatch)


if __name__ == "__main__":
    main()
