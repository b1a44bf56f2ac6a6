"""One training of chapter 8's variations: its steps, further averages of its weights, and the file that keeps both."""

import copy
import json
from collections import deque
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

from ddpm_core import data, trainer
from ddpm_core.diffusion import loss
from ddpm_core.diffusion.model import Model
from ddpm_core.networks.flops import parameter_count
from ddpm_core.recipes import TrainingConfig
from ddpm_core.recipes import config as hyperparameters
from ddpm_core.storage.files import read_tensors, write_tensors
from experiments.ch08.variations import VARIATIONS, Training
from experiments.common import pace
from experiments.common.results_file import Stopwatch, significant

MEMORIES = {"none": 0, "a 20th": 20, "a 40th": 40}  # further averages; the recipes' is a tenth, see `Averages`


class Averages:
    """Moving averages of the weights beside the recipe's: after k steps each remembers the last k / memory or so.

    average <- d average + (1 - d) net with d = (1 + k) / (memory + k); memory 0 remembers the last step alone.
    """

    def __init__(self, memories: dict[str, int], net: nn.Module):
        self.memories = memories
        self.weights = {name: [p.detach().clone() for p in net.parameters()] for name in memories}

    @torch.no_grad()
    def update(self, net: nn.Module, k: int) -> None:
        for name, memory in self.memories.items():
            share = 1 - (1 + k) / (memory + k) if memory else 1.0
            torch._foreach_lerp_(self.weights[name], list(net.parameters()), share)


def trained(known: data.ImageDataset, training: Training, folder: Path) -> "Trained":
    """What the training leaves; a file keeps it."""
    how, path = training.config(), folder / f"{training.file}.safetensors"
    torch.manual_seed(training.seed)
    net = hyperparameters.network(how, known.images.shape[1], known.num_classes)
    if not path.exists():
        weights, about = taken(known, training, net)
        write_tensors(path, weights, {"about": json.dumps(about)})
    weights, about = read_tensors(path)
    return Trained(net.eval(), weights, json.loads(about["about"]))


def taken(known: data.ImageDataset, training: Training, net: nn.Module) -> tuple[dict[str, Tensor], dict]:
    """Take the steps: the weights of every average, as AVERAGE.NAME, and what it cost."""
    how, variation, began = training.config(), VARIATIONS[training.variation], Stopwatch()
    state = trainer.start(net, optimizer=how.optimizer, lr=how.lr, ema_decay=how.ema_decay, device="cpu")
    batch_at = data.batches(
        known.images, how.schedule, batch=how.batch, seed=training.seed, labels=known.labels,
        label_drop=how.label_drop, no_label=known.num_classes, flips=how.flips, times=how.times,
    )  # fmt: skip
    objective = loss.objective(how.schedule, how.predict, how.weight)
    run = trainer.run(state, batch_at, objective, steps=training.steps, report_every=1, decay=variation.decay)
    averages, spent, losses = Averages(MEMORIES, state.net), 0.0, deque(maxlen=100)
    for k, (seconds, value) in enumerate(pace.timed(run), 1):
        spent += seconds
        losses.append(value)
        averages.update(state.net, k)
        if k % 100 == 0:
            print(f"{training.file}: {k} steps, loss {sum(losses) / len(losses):.4f}, {spent:.0f} s", flush=True)
    names = [name for name, _ in net.named_parameters()]
    every = {"recipe": list(trainer.ema_model(state).parameters()), **averages.weights}
    weights = {f"{a}.{n}": p for a, group in every.items() for n, p in zip(names, group, strict=True)}
    return weights, {
        "minutes_of_processor": round(spent / 60, 2), "loss": significant(sum(losses) / len(losses)),
        "parameters": parameter_count(net), "commit": began.commit, "date": date.today().isoformat(),
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, the weights of all averages, and what the training took."""

    net: nn.Module
    weights: dict[str, Tensor]
    about: dict

    def model(self, how: TrainingConfig, size: tuple[int, int], average: str = "recipe") -> Model:
        """With the weights of this average."""
        parts = {name.partition(".")[::2]: v for name, v in self.weights.items()}
        own = {name: v for (group, name), v in parts.items() if group == average}
        net = copy.deepcopy(self.net)
        net.load_state_dict(own)
        return Model(net, how.schedule, how.predict, {"size": list(size)})
