"""Training steps beside each other: our network of the paper's layout, and the same layout from other libraries.

python -m benchmarks.training_step [--sizes "0.7 M" "2.25 M" "35.7 M"] [--threads 2]

All take the same step in the same process, in turns; memory is of a process each. Sizes that are not asked for stay in
the results file as they are.
"""

import argparse
import json
from datetime import date

import torch

from benchmarks.rig import clock, peers
from benchmarks.rig.step import batch, flops, training_step
from ddpm_core.networks.flops import parameter_count
from experiments.common.results_file import RESULTS, Stopwatch, write

GEMM, N = "GEMM", 2048
ROUNDS = {"0.7 M": 21, "2.25 M": 9, "35.7 M": 3}


def compared(layout: peers.Layout, names: list[str], rounds: int, n: int = N) -> dict:
    """Name -> what a step of that network costs, and how it compares with ours."""
    nets = {name: peers.build(name, layout) for name in names}
    work = {name: flops(net, layout) for name, net in nets.items()}
    one = batch(layout)
    steps = {GEMM: clock.product(n)} | {name: training_step(net, *one) for name, net in nets.items()}
    seconds = clock.in_turns(steps, rounds)
    rate = [2 * n**3 / s for s in seconds.pop(GEMM)]  # operations a second, in each turn
    rows = {}
    for name, net in nets.items():
        share = [work[name] * layout.batch / s / r for s, r in zip(seconds[name], rate, strict=True)]
        rows[name] = {
            "same_layout": name.removesuffix(peers.CHANNELS_LAST) in peers.SAME_LAYOUT,
            "parameters": parameter_count(net),
            "gflop_per_image": float(f"{work[name] / 1e9:.4g}"),
            "seconds": clock.middle(seconds[name]),
            "images_per_second": clock.middle([layout.batch / s for s in seconds[name]]),
            "share_of_gemm": clock.middle(share),
            "ours_is_faster_by": clock.ratio(seconds[name], seconds[peers.OURS]),
        }
    plain = work.get("diffusers", work[peers.OURS])  # ours takes fewer products for the same answer
    share = [plain * layout.batch / s / r for s, r in zip(seconds[peers.OURS], rate, strict=True)]
    rows[peers.OURS]["share_of_gemm_by_the_layout"] = clock.middle(share)
    return {"gemm_gflops": clock.middle([r / 1e9 for r in rate]), "rows": rows}


def alone(name: str, layout: peers.Layout, steps: int = 2) -> None:
    """What a process of its own does to measure memory."""
    step = training_step(peers.build(name, layout), *batch(layout))
    print(*clock.most_held(lambda: [step() for _ in range(steps)]))


def measured_before(threads: int) -> dict[str, dict]:
    """The sizes in the results file, if it was made with the same libraries and threads."""
    path = RESULTS / "training_step.json"
    found = json.loads(path.read_text())["results"] if path.exists() else {}
    alike = found.get("versions") == peers.versions() and found.get("threads") == threads
    return {size: found["sizes"][size] for size in peers.SIZES if alike and size in found["sizes"]}


def told(sizes: dict[str, dict], threads: int) -> dict:
    """The results, and what each figure is."""
    return {
        "sizes": sizes,
        "threads": threads,
        "versions": peers.versions(),
        "note": "each figure as [median, smallest, largest] over the turns; seconds: of a whole step, forward, "
        "backward, clip, fused Adam, moving average, the same for all; ours_is_faster_by: its seconds over ours, turn "
        "by turn; ours_is_faster_than_every_peer_by: the smallest of these medians among the same layout, either "
        "memory format; gflop_per_image: convolutions, matrix products and attention of one image, there and back; "
        "share_of_gemm: of the rate at which the same threads multiply two 2048 x 2048 matrices in fp32 in the same "
        "turn; share_of_gemm_by_the_layout: the same with the operations that diffusers takes for this layout, of "
        "which ours saves some where the resolution grows; same_layout: widths, levels, blocks and attention are equal "
        "(groups of a norm as in layout where a library lets one choose, else its own 32), how the others differ says "
        "rig/peers.py; peak_mib: the most that a process with this network alone held of its own (files in memory "
        "do not count), of_the_steps_mib: how much of it came after network and batch were there",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=list(peers.SIZES), default=list(peers.SIZES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-of", metavar="NAME", help=argparse.SUPPRESS)
    options, stopwatch = parser.parse_args(), Stopwatch()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        return alone(options.memory_of, peers.SIZES[options.sizes[0]])
    sizes = measured_before(options.threads)
    for size in options.sizes:
        layout = peers.SIZES[size]
        found = compared(layout, peers.entrants(), ROUNDS[size])
        for name, row in found["rows"].items():
            row |= clock.memory_of(
                __spec__.name, "--memory-of", name, "--sizes", size, "--threads", str(options.threads)
            )
            print(size, name, row, flush=True)
        same = [row for name, row in found["rows"].items() if row["same_layout"] and name != peers.OURS]
        found["ours_is_faster_than_every_peer_by"] = min(row["ours_is_faster_by"][0] for row in same)
        about = {"commit": stopwatch.commit, "date": date.today().isoformat(), "rounds": ROUNDS[size]}
        sizes[size] = {"layout": vars(layout), **about, **found}
        write("training_step", told(sizes, options.threads), stopwatch)  # size by size: what is done is kept


if __name__ == "__main__":
    main()
