"""python -m ddpm_core train: from a data set to a checkpoint, and on from there with --resume.

A training reads as a list. The options become a `Job` and go no further; its recipe leads to the data, these to the
network, and on to the training, the folder that keeps it, and the pictures.
"""

import argparse
import contextlib
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator

from ddpm_core import data, trainer
from ddpm_core.cli import outputs, run_folder, sample
from ddpm_core.cli.outputs import say
from ddpm_core.cli.training_set import TrainingSet, summary, training_set
from ddpm_core.data import ImageDataset, Preparation
from ddpm_core.diffusion import loss
from ddpm_core.recipes import Recipe, config, recipes
from ddpm_core.storage import checkpoint
from ddpm_core.storage.files import claimed
from ddpm_core.storage.text_encoder import text_encoder
from ddpm_core.training import devices, progress
from ddpm_core.training.optimizers import OPTIMIZERS

OF_A_RECIPE = ("data", "only", "size", "colour", "steps", "minutes", "mixed_precision", "resident", "compile")
OF_ITS_CONFIG = ("batch", "optimizer", "lr", "flips", "text_encoder")


@dataclass(frozen=True)
class Job:
    """One run of a recipe.

    recipe   as the options have it: data, length, precision; its config is None until the data tell which one suits
    changes  of that config
    name     of the recipe, or None
    """

    recipe: Recipe
    changes: dict
    name: str | None
    out: Path
    device: str
    seed: int
    resume: bool
    accumulate: int
    checkpointing: bool
    log: str | None
    save_every: float


def train(options: argparse.Namespace) -> int:
    """Train on a data set; OUT gets model.safetensors, config.json, training.safetensors and samples.png."""
    return carried_out(settled(options))


def carried_out(job: Job) -> int:
    """From the data to the pictures; 130 if it was interrupted."""
    status, accelerator = trained_and_drawn(job)
    accelerator.free_memory()  # the network that processes share goes before their group: else both may wait for ever
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return status


def trained_and_drawn(job: Job) -> tuple[int, Accelerator]:
    """The exit status, and what holds the processes together: the caller lets them go."""
    images = data.load(job.recipe.data, size=job.recipe.size, colour=job.recipe.colour)
    job = fitted(job, images)
    seen = training_set(job.recipe.config, images, job.recipe.only)
    say(summary(seen, job.recipe.config, job.recipe.only))
    state = started(job, seen)
    about = described(job, images, seen, state)
    with opened(job, about, state) as note:
        if not trained(job, seen, about, state, note):
            return 130, state.accelerator
    if state.accelerator.is_main_process:
        drawn(job, state)
    return 0, state.accelerator


def settled(options: argparse.Namespace) -> Job:
    """The job that the options ask for: a recipe, or the plain one, with what they say in its place.

    Raises ValueError for a recipe that is not there or that this machine is too small for, and for a text encoder that
    is not to be had, OSError if there is no place to write to.
    """
    recipe = recipes.named(options.recipe) if options.recipe else recipes.PLAIN
    device = devices.check_device(options.device)
    meant = options.device and (options.steps or options.minutes)
    if recipe.device == "gpu" and device == "cpu" and not meant:
        raise ValueError(recipes.why_not_on_a_cpu(options.recipe))
    out = Path(options.out or f"runs/{options.recipe or 'digits'}")
    outputs.try_folder(out, "--out")
    if options.log is not None:
        outputs.try_folder(options.log, "--log")
    if options.text_encoder is not None:
        text_encoder(options.text_encoder)  # if it is not to be had, that is said before data are fetched
    prepared = run_folder.earlier(out).get("prepared") or {} if options.resume else {}
    said = {key: value for key in (*OF_A_RECIPE, *OF_ITS_CONFIG) if (value := getattr(options, key)) is not None}
    if "optimizer" in said:
        said["optimizer"] = OPTIMIZERS[said["optimizer"]]
    if said.keys() & {"steps", "minutes"}:
        recipe = replace(recipe, steps=None, minutes=None)
    recipe = replace(recipe, **prepared | {key: said[key] for key in OF_A_RECIPE if key in said})
    return Job(
        recipe, {key: said[key] for key in OF_ITS_CONFIG if key in said}, options.recipe, out, device, options.seed,
        options.resume, options.accumulate, options.checkpointing, options.log, options.save_every,
    )  # fmt: skip


def fitted(job: Job, images: ImageDataset) -> Job:
    """The job with its hyperparameters: the recipe's own, else those that suit the images; changed as was asked for."""
    found = replace(job.recipe.config or config.suits(images), **job.changes)
    return replace(job, recipe=replace(job.recipe, config=found))


def started(job: Job, seen: TrainingSet) -> trainer.TrainState:
    """A fresh network on its device, its moving average and its optimiser."""
    wanted = job.recipe.config
    torch.manual_seed(job.seed)
    net = config.network(wanted, seen.images.images.shape[1], seen.images.num_classes, seen.vocabulary)
    net.checkpointing = job.checkpointing
    why_not = devices.why_not_compile(job.device) if job.recipe.compile else None
    if job.recipe.compile and why_not is None:
        net.compile()
    if why_not is not None:
        say(f"--compile is left out, it does not work here: {why_not}.")
    return trainer.start(
        net, optimizer=wanted.optimizer, lr=wanted.lr, ema_decay=wanted.ema_decay,
        mixed_precision=job.recipe.mixed_precision, device=job.device,
    )  # fmt: skip


def described(job: Job, images: ImageDataset, seen: TrainingSet, state: trainer.TrainState) -> dict:
    """What the checkpoint says of itself, but for how far it has come."""
    recipe, accelerator = job.recipe, state.accelerator
    network, path = accelerator.unwrap_model(state.net), Path(recipe.data)
    if recipe.pixels_sha256 not in (None, images.pixels_sha256):
        was, now = recipe.pixels_sha256[:12], images.pixels_sha256[:12]
        say(f"the recipe was made with other pictures: the sha256 of theirs is {was}..., of these {now}...")
    return {
        "sampler": recipe.config.sampler, "steps": recipe.config.steps,
        "recipe": job.name, "settings": config.described(recipe.config),
        "length": {"minutes": recipe.minutes} if recipe.minutes else {"steps": recipe.steps},
        "data": "/".join(path.parts[-2:]) or path.resolve().name, "data_sha256": images.sha256,
        "pixels_sha256": images.pixels_sha256, "prepared": Preparation(recipe.size, recipe.colour).plain(),
        "only": recipe.only or None, "seed": job.seed, "batch": recipe.config.batch, "lr": recipe.config.lr,
        "ema_decay": recipe.config.ema_decay, "resident": recipe.resident,
        "mixed_precision": accelerator.mixed_precision, "processes": accelerator.num_processes,
        "device": devices.device_name(accelerator.device), "date": date.today().isoformat(),
        "size": list(data.multiple_size(seen.images.images, network.multiple)), **seen.about,
    }  # fmt: skip


@contextlib.contextmanager
def opened(job: Job, about: dict, state: trainer.TrainState):
    """The run's folder, with an earlier run in it resumed or moved aside; yields what notes the run's curves.

    Meanwhile the folder is this run's own. Raises ValueError if it is another's.
    """
    accelerator, batch = state.accelerator, job.recipe.config.batch
    if job.resume:
        run_folder.resume(job.out, state, job.recipe.config, about)
    trainer.parts_of(state, batch, job.accumulate)
    curves = progress.for_tensorboard(job.log if accelerator.is_main_process else None, state)
    if job.resume:
        say(f"resuming {job.out} at step {state.step}")
    elif accelerator.is_main_process and (aside := run_folder.move_aside(job.out)) is not None:
        say(f"{job.out} held an earlier run; it now lies in {aside}")
    if accelerator.num_processes > 1:
        say(f"{accelerator.num_processes} processes share each batch of {batch} images")
    with claimed(job.out) if accelerator.is_main_process else contextlib.nullcontext(), curves as note:
        yield note


def trained(job: Job, seen: TrainingSet, about: dict, state: trainer.TrainState, note: progress.Note) -> bool:
    """Take the steps and keep what they reach; False if they were interrupted.

    Raises FloatingPointError, MemoryError or ConnectionError, in one sentence, where they could not be taken.
    """
    wanted, accelerator = job.recipe.config, state.accelerator
    batch_at = data.batches(
        seen.images.images, wanted.schedule, batch=wanted.batch, seed=job.seed, labels=seen.conditions,
        label_drop=wanted.label_drop, no_label=seen.images.num_classes, flips=wanted.flips, times=wanted.times,
        size=tuple(about["size"]), device=accelerator.device if job.recipe.resident else None,
    )  # fmt: skip
    objective = loss.objective(wanted.schedule, wanted.predict, wanted.weight)
    bar = progress.training_bar(quiet=not accelerator.is_main_process)
    run = trainer.run(state, progress.ticking(batch_at, bar), objective, accumulate=job.accumulate, **about["length"])
    try:
        keep = partial(run_folder.keep, job.out, state, wanted, about)
        progress.progress_bar(run, keep, job.save_every, note, bar=bar)
    except KeyboardInterrupt:
        say(f"\nstopped at step {state.step}, nothing is lost; go on with the same command and --resume")
        return False
    except (FloatingPointError, MemoryError, ConnectionError) as error:
        stands = run_folder.what_stands(job.out)
        raise type(error)(f"{error} Training stopped; {stands}.{_advice(error)}") from error
    return True


def drawn(job: Job, state: trainer.TrainState) -> None:
    """samples.png, and a last line."""
    model, wanted, picture = checkpoint.load(job.out), job.recipe.config, job.out / "samples.png"
    how = dict(steps=wanted.steps, sampler=wanted.sampler, seed=job.seed, device=state.accelerator.device)
    sample.write(picture, *sample.draw(model, 60, **how))
    images, minutes, last = (model.about[key] for key in ("images_seen", "minutes", "loss"))
    last = "" if last is None else f", loss {last:.4f}"
    say(f"{job.out}: {state.step} steps, {images} images in {minutes} minutes{last}; see {picture}")


def _advice(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return " Start all processes again with --resume."
    return " A smaller --lr may help." if isinstance(error, FloatingPointError) else ""
