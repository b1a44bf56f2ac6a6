"""What this machine can do: which devices it has, which precision they compute in, whether it can compile."""

import platform

import torch
import torch.nn.functional as F

PRECISIONS = ("no", "fp16", "bf16", "auto")


def check_device(device: str | None) -> str:
    """The device asked for; for None a GPU if there is one, else "cpu". Raises ValueError for one that is not there."""
    if device is not None and not isinstance(device, str):
        raise ValueError(f"need device as text, but got {device!r:.60}.")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device is not None and not there.get(device, False):
        raise ValueError(f"need a device that this machine has, but {device!r} is not available; try --device cpu.")
    return device or next(name for name, here in there.items() if here)


def best_precision(device: str) -> str:
    """The mixed precision that pays on this device, by accelerate's name for it.

    "bf16" on a GPU that computes in it, "fp16" on an older one (a T4 only imitates bf16), "no" elsewhere.
    """
    if device != "cuda":
        return "no"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def check_precision(mixed_precision: str, device: str) -> str:
    """The mixed precision asked for; "auto" is `best_precision`. Raises ValueError for fp16 on a CPU, where accelerate
    would compute in full precision and say nothing."""
    if mixed_precision not in PRECISIONS:
        raise ValueError(f"need mixed_precision as one of {', '.join(PRECISIONS)}, but got {mixed_precision!r:.60}.")
    if mixed_precision == "fp16" and device == "cpu":
        raise ValueError("need a GPU for fp16, but this trains on cpu; try --mixed-precision auto.")
    return best_precision(device) if mixed_precision == "auto" else mixed_precision


def why_not_compile(device: str) -> str | None:
    """None if torch.compile works on this device, else the reason, without a full stop.

    It tries one small function: a missing compiler, an old GPU or a new Python are found before the training. Where it
    works, `net.compile()` before `trainer.start(net)` is all there is to do: weights keep their names.
    """
    try:
        torch.compile(F.silu)(torch.ones(8, device=device))
    except Exception as error:  # each compiler has its own kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
    return None


def device_name(device: torch.device | str = "cpu") -> str:
    """What the work ran on, in words: "NVIDIA H200", "2 CPU cores"."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    if torch.device(device).type != "cpu":
        return platform.processor() or str(device)
    cores = torch.get_num_threads()
    return f"{cores} CPU core{'s' if cores > 1 else ''}"
