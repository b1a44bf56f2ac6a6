"""Write book/scale.md: what a training costs on larger machines, computed from what was measured on small ones.

python tools/scale.py

The rates are those of book/results; a training is described by its network, its pictures and the paper's steps; the
speed of a wire by its standard. The rest is arithmetic, and the page says which is which.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from ddpm_core.networks.ddpm_unet import DDPMUNet
from ddpm_core.networks.flops import parameter_count, training_flops
from ddpm_core.recipes.recipes import RECIPES, network

ROOT = Path(__file__).resolve().parent.parent
BYTES = {"weights": 4, "gradients": 4, "Adam's two averages": 8, "the moving average": 4}  # of one weight, in float32
GPU_MEMORY = 80e9  # bytes of an H100
MEASURED_SIDE = 32  # of the pictures by which the GPU's rate was measured
NVLINK = "NVLink within a node", 450e9  # bytes a second each way: NVIDIA, data sheet of the H100
FAST, SLOW = ("100 Gbit/s between nodes", 100e9 / 8), ("10 Gbit/s between nodes", 10e9 / 8)  # Ethernet, by its name


@dataclass(frozen=True)
class Training:
    """A network and how long it is trained.

    pace: the paper's steps a second on a TPU v3-8, all of it [Ho 2020, appendix B]; None where it has none.
    """

    side: int
    channels: tuple[int, ...]
    attention: tuple[int, ...]  # levels: where there are 16x16 positions, as in the paper
    steps: int
    batch: int
    why: str
    pace: float | None = None

    def network(self) -> DDPMUNet:
        with torch.device("meta"):
            return DDPMUNet(3, self.channels, attention=self.attention)

    def weights(self) -> int:
        return parameter_count(self.network())

    def flop(self) -> float:
        """Of the whole training, there and back."""
        return float(self.steps * self.batch * training_flops(self.network(), (3, self.side, self.side)))


TRAININGS = [
    Training(32, (128, 256, 256, 256), (1,), 800_000, 128, "the paper's for CIFAR-10", 21),
    Training(64, (128, 256, 256, 256), (2,), 800_000, 128, "the same widths and steps, our choice"),
    Training(256, (128, 128, 256, 256, 512, 512), (4,), 500_000, 64, "the paper's for CelebA-HQ", 2.2),
]


def read(results: Path, name: str) -> dict:
    return json.loads((results / f"{name}.json").read_text())


def rate_of_a_core(growth: dict) -> float:
    """Operations a second at the largest pictures measured, on one core."""
    row = growth["results"]["resolution"]["rows"][-1]
    return row["gflop"] * 1e9 / row["seconds"][0]


def rate_of_a_gpu(cars: dict) -> float:
    """Operations a second of the training of cars32-gpu, from first to last step."""
    run = cars["results"]["training"]
    per_image = training_flops(network(RECIPES[run["recipe"]]), (3, MEASURED_SIDE, MEASURED_SIDE))
    return run["images_seen"] * per_image / (60 * run["minutes"])


def allowance(growth: dict, side: int) -> float:
    """How much more than in step the seconds may have grown: the last doubling of the side again, for each doubling."""
    last, factor = growth["results"]["resolution"]["growth"][-1], 1.0
    while side > MEASURED_SIDE:
        side, factor = side // 2, factor * max(last, 1.0)
    return factor


def exchange(weights: int, processes: int, bytes_a_second: float) -> float:
    """Seconds for the mean of all gradients in float32: in a ring each process sends 2 (n - 1) / n of them."""
    return 2 * (processes - 1) / processes * BYTES["gradients"] * weights / bytes_a_second


def hours(o: Training, rate: float, processes: int = 1, wire: float = NVLINK[1], factor: float = 1.0) -> float:
    """Computed in equal shares, then exchanged, one after the other: what overlaps is not taken off."""
    return (o.flop() * factor / rate / processes + o.steps * exchange(o.weights(), processes, wire)) / 3600


def span(low: float, high: float) -> str:
    """Two numbers to two digits; one where they are equal."""
    a, b = (f"{float(f'{x:.2g}'):,.0f}" if x >= 10 else f"{x:.2g}" for x in (low, high))
    return a if a == b else f"{a} to {b}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first to the right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def what_is_trained() -> str:
    rows = [
        [
            f"{o.side}x{o.side}", o.why, f"{o.weights() / 1e6:.1f} M",
            f"{o.flop() / o.steps / o.batch / 1e9:,.0f}", f"{o.steps:,} of {o.batch}", f"{o.flop() / 1e18:,.0f}",
        ]
        for o in TRAININGS
    ]  # fmt: skip
    return table(["pictures", "which", "weights", "GFLOP a picture", "steps", "10^18 operations"], rows)


def what_it_costs(results: Path) -> str:
    """Hours of one GPU, eight, and sixteen on two wires."""
    growth, rate = read(results, "growth"), rate_of_a_gpu(read(results, "cars32-gpu-evaluated"))
    machines = {
        "one GPU": (1, NVLINK), "eight": (8, NVLINK), f"two nodes of eight, {FAST[0]}": (16, FAST),
        f"two nodes of eight, {SLOW[0]}": (16, SLOW),
    }  # fmt: skip
    rows = []
    for o in TRAININGS:
        factors = 1.0, allowance(growth, o.side)
        costs = [span(*(hours(o, rate, n, wire[1], f) for f in factors)) for n, wire in machines.values()]
        theirs = "" if o.pace is None else f"{o.steps / o.pace / 3600:.1f}"
        rows.append([f"{o.side}x{o.side}", *costs, theirs])
    return table(["hours of", *machines, "the paper's TPU v3-8"], rows)


def page(results: Path) -> str:
    """The whole page, from the results files in a folder."""
    growth, cars = read(results, "growth"), read(results, "cars32-gpu-evaluated")
    largest = growth["results"]["resolution"]["rows"][-1]["side"]
    pairs = {row["processes"]: row["images_per_second"][0] for row in read(results, "processes")["results"]["rows"]}
    core, gpu = rate_of_a_core(growth), rate_of_a_gpu(cars)
    batches = growth["results"]["batch"]["growth"]
    large, each = TRAININGS[-1], sum(BYTES.values())
    years = hours(TRAININGS[0], core) / 24 / 365
    small, waits = TRAININGS[0], exchange(large.weights(), 16, SLOW[1])
    wide = exchange(large.weights(), 8, NVLINK[1]) * 1000
    parts = [
        "<!-- Written by tools/scale.py from book/results. -->",
        "# From two cores to many machines",
        "This book trains on two cores. What would larger pictures cost, and on which machines? Sixteen GPUs "
        "were not at hand. So this page measures what it can and computes the rest. It says each time which is which.",
        "## What was measured",
        table(
            ["what", "measured"],
            [
                [
                    f"one core, pictures of {largest}x{largest}, float32",
                    f"{core / 1e9:.0f} GFLOP/s",
                ],
                [
                    f"one {cars['results']['training']['device']}, `cars32-gpu`",
                    f"{gpu / 1e12:.1f} TFLOP/s",
                ],
                [
                    "seconds against operations, last doubling of the side",
                    f"{growth['results']['resolution']['growth'][-1]:.2f}",
                ],
                ["seconds against operations, last doubling of the batch", f"{batches[-1]:.2f}"],
                [
                    "two processes against one, on the same two threads",
                    f"{pairs[2] / pairs[1]:.2f} x the pictures",
                ],
                ["four processes, many GPUs, many nodes", "not measured"],
            ],
        ),
        "The first four rows come from `growth.json` and `cars32-gpu-evaluated.json`, the fifth from "
        "`processes.json`. [Speed](speed.md) shows them whole. A value of 1 means: twice the work takes twice the "
        f"time. At small batches it is lower, down to {min(batches):.2f}. There a step costs something before it "
        "computes anything. That is also why a batch should not be cut too small.",
        f"The network for cars is small. Large products in bfloat16 use such a GPU better. So "
        f"read {gpu / 1e12:.1f} TFLOP/s as a low estimate, and the hours as a high one.",
        "## What a training asks for",
        "Operations are counted from the network, there and back. Steps and batch are the paper's "
        "(Ho 2020, appendix B) where it has such a training.",
        what_is_trained(),
        f"On one core of ours the first row would take {years:.0f} years. A CPU is good for the "
        "law, not for the training.",
        "## What it costs: computed",
        "$$\n\\text{seconds} = \\frac{\\text{operations}}{n \\cdot \\text{rate}} + \\text{steps} \\cdot "
        "2\\,\\frac{n-1}{n} \\cdot \\frac{4 \\cdot \\text{weights}}{\\text{bytes a second}}\n$$",
        "The first part is shared by $n$ processes. The second is their exchange. Before each step "
        "they take the mean of all gradients, four bytes for each weight. In a ring, every process sends nearly "
        "twice that. None of this second part was measured here: it is a count of bytes over the speed of a wire.",
        what_it_costs(results),
        "The lower number of a span takes seconds in step with operations. The upper one lets every doubling of "
        "the side cost as much more as the last one measured. All columns but the last are computed. The last is "
        "the paper's: its steps over the steps a second that it reports.",
        f"Within a node the exchange hardly counts: {wide:.1f} ms a step for the largest network. On "
        f"{SLOW[0].split(' between')[0]} it takes {waits:.2f} s. PyTorch exchanges while it still computes. That "
        "would hide some of it, and is not taken off here.",
        "## Which flags that takes",
        "One program, started by a launcher. [Engineering](engineering.ipynb) shows it, with two processes.",
        "| where | command |\n| --- | --- |\n"
        "| one GPU | `python -m ddpm_core train --data FOLDER --size 64 --mixed-precision auto` |\n"
        "| eight GPUs | `torchrun --standalone --nproc_per_node 8 -m ddpm_core train ...` |\n"
        "| the same | `accelerate launch --multi_gpu --num_processes 8 -m ddpm_core train ...` |\n"
        "| two nodes, on each | `torchrun --nnodes 2 --node_rank RANK --nproc_per_node 8 --master_addr FIRST "
        "--master_port 29500 -m ddpm_core train ...` |\n"
        "| the same | `accelerate launch --multi_gpu --num_machines 2 --machine_rank RANK --num_processes 16 "
        "--main_process_ip FIRST --main_process_port 29500 -m ddpm_core train ...` |",
        f"`RANK` is 0 on the first node and 1 on the other, `FIRST` the first one's address. `--batch` is the "
        f"batch of all together. At {small.batch} on sixteen GPUs each has {small.batch // 16} pictures, and at "
        f"{large.batch} it has {large.batch // 16}. That is little, so raise it, and the learning rate with it. "
        "`--checkpointing` and `--accumulate` help where memory is short. Both nodes must see the same data and "
        "the same folder.",
        "## Where this package stops",
        f"Every process keeps the whole network. In float32 that is {each} bytes a weight: "
        + ", ".join(f"{n} for {what}" for what, n in BYTES.items())
        + f". The largest network above needs {large.weights() * each / 1e9:.1f} GB, before a picture is seen. "
        f"{GPU_MEMORY / 1e9:.0f} GB would be full at {GPU_MEMORY / each / 1e9:.0f} billion weights. Long before, "
        "what the layers keep for the way back takes the room. Take something else when",
        "- **the network does not fit one GPU.** Then its weights must be shared too: FSDP of PyTorch, or "
        "DeepSpeed, both behind `accelerate launch`. Our trainer does not know them.\n"
        "- **the pictures are larger than 256x256.** Almost everyone then diffuses in the latents of an "
        "autoencoder (Rombach 2022), or with a transformer. [diffusers](https://github.com/huggingface/diffusers) "
        "has both, with training scripts.\n"
        "- **the data do not fit one disk.** Ours are decoded once into a file that is mapped into memory. "
        "[WebDataset](https://github.com/webdataset/webdataset) and "
        "[Streaming](https://github.com/mosaicml/streaming) read shards over the network.\n"
        "- **machines fail while you sleep.** A run of ours goes on from its file, with the same number of "
        "processes. `torchrun --max-restarts` does not mend a lost node.",
        "Below that, these files are the right tool: you can read all of them.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    (ROOT / "book" / "scale.md").write_text(page(ROOT / "book" / "results"))
