"""What training changes, and how it is kept on disk, so that a run can go on as if it had never stopped."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ddpm_core.diffusion.arguments import checked, in_range
from ddpm_core.storage.files import CheckpointError, read_tensors, warn_unsealed, write_tensors

ADAMS, MUONS = ("step", "exp_avg", "exp_avg_sq"), ("momentum_buffer",)  # what each remembers of a weight's gradients


@dataclass
class TrainState:
    """The network, its moving average, the optimiser, and how far they have come."""

    net: nn.Module
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    lr: float
    warmup: int
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    shape: tuple[int, ...] | None = None  # of one example, (C, H, W); None before the first
    batch: int | None = None  # images a step, those of all processes together; None before the first
    consistent: bool = True  # False within a step, while weights, average and optimiser are not of one age


@checked
def save(state: TrainState, path: str | Path) -> None:
    """Everything that `resume` needs, in one file that is replaced whole or not at all; the first process writes it.

    A resumed run equals the uninterrupted one bit for bit on a CPU, with dropout only in one process; on a GPU without
    dropout and fp16, whose random numbers and loss scale are not kept. Raises FloatingPointError, and writes nothing,
    if a weight is not finite.
    """
    if not state.accelerator.is_main_process:
        return
    if not all(p.isfinite().all() for p in state.net.parameters()):
        raise FloatingPointError(f"the weights are no longer finite at step {state.step}.")
    net = state.accelerator.unwrap_model(state.net)
    tensors = {f"net.{k}": v for k, v in net.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in state.ema.state_dict().items()}
    moments = state.optimizer.state_dict()["state"]
    optimizer = _name(state.optimizer)
    tensors |= {f"{optimizer}.{i}.{k}": v for i, found in moments.items() for k, v in found.items()}
    tensors["rng"] = torch.get_rng_state()  # dropout draws from the global generator
    progress = {"step": state.step, "images": state.images, "seconds": state.seconds}
    progress |= {"batch": state.batch, "processes": state.accelerator.num_processes}
    progress |= {"shape": state.shape, "optimizer": optimizer}
    write_tensors(path, tensors, {"progress": json.dumps(progress)})


@checked
def resume(state: TrainState, path: str | Path) -> TrainState:
    """Fill a fresh `TrainState` of the same network from `save`'s file.

    Raises CheckpointError if it is of another network, optimiser or number of processes; `run` refuses another batch.
    How a batch is cut into parts (`accumulate`) is free: the outcome is the same, but for rounding and the masks of
    dropout.
    """
    tensors, about = read_tensors(path)
    part, optimizer = {"net": {}, "ema": {}}, _name(state.optimizer)
    for key, value in tensors.items():
        room, _, rest = key.partition(".")
        part.setdefault(room, {})[rest] = value
    try:
        progress = json.loads(about["progress"])
        _check_own("optimiser", progress.get("optimizer", "adam"), optimizer)
        _check_own("number of processes", progress.get("processes"), state.accelerator.num_processes)
        net = state.accelerator.unwrap_model(state.net)
        _check_same(part["net"], net.state_dict())
        net.load_state_dict(part["net"])
        state.ema.load_state_dict(part["ema"])
        moments: dict[int, dict] = {}
        for key, value in part.get(optimizer, {}).items():
            number, _, name = key.partition(".")
            moments.setdefault(int(number), {})[name] = value
        weights = [(weight, group) for group in state.optimizer.param_groups for weight in group["params"]]
        for i, found in moments.items():  # each laid out as its weight is: both walk through memory
            weight, group = weights[i]
            names = MUONS if "momentum" in group else ADAMS
            if {k: v.shape for k, v in found.items()} != {k: () if k == "step" else weight.shape for k in names}:
                raise ValueError(f"what {optimizer} remembers of weight {i} does not fit.")
            found |= {k: torch.empty_like(weight).copy_(v) for k, v in found.items() if k != "step"}
        state.optimizer.load_state_dict(state.optimizer.state_dict() | {"state": moments})
        torch.set_rng_state(tensors["rng"])
        state.step, state.images, state.seconds = progress["step"], progress["images"], progress["seconds"]
        state.batch = progress.get("batch")
        state.shape = tuple(progress["shape"]) if progress.get("shape") else None
    except CheckpointError:
        raise
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]  # torch's own sentences run over many lines
        raise CheckpointError(f"need a checkpoint of this very network, but {path} is of another: {why}") from error
    own_dropout(state.accelerator)
    warn_unsealed(path, about)
    return state


def _name(optimizer: torch.optim.Optimizer) -> str:
    """What its keys begin with in the file, "adam" or "muon"; accelerate's wrapper is looked through."""
    return type(getattr(optimizer, "optimizer", optimizer)).__name__.lower()


def _check_own(what: str, began_with: object, here: object) -> None:
    """Raises CheckpointError if the run began with another; files of earlier versions do not say (None)."""
    if began_with not in (None, here):
        raise CheckpointError(f"need the run's own {what}, which is {began_with}, but got {here}.")


def _check_same(stored: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raises ValueError that names the first weight which is not on both sides with one shape."""
    for name in [*own, *stored]:
        there, here = ("missing" if name not in side else tuple(side[name].shape) for side in (stored, own))
        if there != here:
            raise ValueError(f"its {name} is {there}, this network's is {here}.")


def check_rates(lr: float, warmup: int, ema_decay: float) -> None:
    """Raises ValueError for what no training can begin with."""
    in_range("lr", lr, 0)
    in_range("warmup", warmup, 1)
    in_range("ema_decay", ema_decay, 0, 1)


def own_dropout(accelerator: Accelerator) -> None:
    """Every process but the first leaves the random numbers that all share, each for a stream of its own: else the
    same places of all their images would be dropped."""
    if accelerator.process_index:
        torch.manual_seed(int(torch.randint(2**62, ())) + accelerator.process_index)
