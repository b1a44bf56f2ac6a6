"""python -m ddpm_core train: from a data set to a checkpoint, and on from there with --resume."""

import argparse
import os
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from . import checkpoint, cookbook, data, devices, drawing, journal, recipe, show, told, trainer
from .cookbook import Plan
from .images import Images
from .recipe import Recipe

OF_THE_PLAN = ("data", "only", "steps", "minutes", "mixed_precision", "resident", "compile")
OF_THE_RECIPE = ("batch", "lr")
OF_THE_RUN = ("data_sha256", "only", "seed", "batch", "lr", "resident")  # a run is resumed with its own


def train(options: argparse.Namespace) -> int:
    """Train on a data set; OUT gets model.safetensors, config.json, training.safetensors and samples.png."""
    plan, device = settled(options), devices.check_device(options.device)
    meant = options.device and (options.steps or options.minutes)
    if plan.device == "gpu" and device == "cpu" and not meant:
        raise ValueError(cookbook.why_not_on_a_cpu(options.recipe))
    out, whole = Path(options.out or f"runs/{options.recipe or 'digits'}"), data.load_images(plan.data)
    cook = plan.recipe or recipe.suits(whole)
    cook = replace(cook, **{k: v for k in OF_THE_RECIPE if (v := getattr(options, k)) is not None})
    images, labels, vocabulary, shown = _told(cook, whole, plan.only)

    torch.manual_seed(options.seed)
    net = recipe.network(cook, images.images.shape[1], images.num_classes, vocabulary)
    net.checkpointing = options.checkpointing
    why_not = devices.why_not_compile(device) if plan.compile else None
    if plan.compile and why_not is None:
        net.compile()
    state = trainer.start(
        net, lr=cook.lr, ema_decay=cook.ema_decay, mixed_precision=plan.mixed_precision, device=device
    )
    say = print if state.accelerator.is_main_process else lambda *words: None
    if why_not is not None:
        say(f"--compile is left out, it does not work here: {why_not}.")
    pixels = recipe.fitted(images.images, net.multiple)
    about = _about(options, plan, cook, whole, state) | {"size": list(pixels.shape[2:])} | shown
    if plan.pixels_sha256 not in (None, about["pixels_sha256"]):
        was, now = plan.pixels_sha256[:12], about["pixels_sha256"][:12]
        say(f"the recipe was made with other pictures: the sha256 of theirs is {was}..., of these {now}...")
    batch_at = recipe.batches(
        pixels, labels, cook.schedule, batch=cook.batch, seed=options.seed,
        label_drop=cook.label_drop, no_label=images.num_classes, flips=cook.flips,
        device=state.accelerator.device if plan.resident else None,
    )  # fmt: skip
    loss = recipe.objective(cook.schedule, cook.predict, cook.weight)
    run = trainer.run(state, batch_at, loss, accumulate=options.accumulate, **about["length"])
    curves = _made_ready(options, out, cook, about, state, say)
    try:
        with curves as note:
            keep = partial(_keep, state, cook, about, out)
            journal.with_a_bar(run, keep, options.save_every, note, quiet=not state.accelerator.is_main_process)
    except KeyboardInterrupt:
        say(f"\nstopped at step {state.step}, nothing is lost; go on with the same command and --resume")
        return 130
    except (FloatingPointError, MemoryError, ConnectionError) as error:
        raise type(error)(f"{error} Training stopped; {_what_stands(out)}.{_advice(error)}") from error
    if state.accelerator.is_main_process:
        trained = checkpoint.load(out)
        how = dict(steps=cook.steps, sampler=cook.sampler, seed=options.seed, device=state.accelerator.device)
        drawing.write(out / "samples.png", *drawing.draw(trained, 60, **how))
        seen, minutes, loss = (trained.about[key] for key in ("images_seen", "minutes", "loss"))
        loss = "" if loss is None else f", loss {loss:.4f}"
        say(f"{out}: {state.step} steps, {seen} images in {minutes} minutes{loss}; see {out / 'samples.png'}")
    state.accelerator.end_training()
    return 0


def settled(options: argparse.Namespace) -> Plan:
    """The recipe's plan, or the plain one, with what the command line says in its place."""
    plan = cookbook.BY_NAME[options.recipe] if options.recipe else cookbook.PLAIN
    given = {key: value for key in OF_THE_PLAN if (value := getattr(options, key)) is not None}
    if given.keys() & {"steps", "minutes"}:
        plan = replace(plan, steps=None, minutes=None)
    return replace(plan, **given)


def _about(options: argparse.Namespace, plan: Plan, cook: Recipe, whole: Images, state: trainer.State) -> dict:
    """What the checkpoint says of itself, but for how far it has come."""
    return {
        "sampler": cook.sampler, "steps": cook.steps,
        "recipe": options.recipe, "settings": recipe.described(cook),
        "length": {"minutes": plan.minutes} if plan.minutes else {"steps": plan.steps},
        "data": "/".join(Path(plan.data).parts[-2:]), "data_sha256": whole.sha256,
        "pixels_sha256": whole.pixels_sha256, "only": plan.only or None,
        "seed": options.seed, "batch": cook.batch, "lr": cook.lr, "ema_decay": cook.ema_decay,
        "resident": plan.resident, "mixed_precision": state.accelerator.mixed_precision,
        "processes": state.accelerator.num_processes,
        "device": show.device_name(state.accelerator.device), "date": date.today().isoformat(),
    }  # fmt: skip


def _told(
    cook: Recipe, whole: Images, only: str | None
) -> tuple[Images, Tensor | None, list[str] | None, dict[str, list[str] | None]]:
    """The images, of one class or of all; what the network is told of each; its vocabulary, where those are captions;
    and for the checkpoint the names of the classes and the captions to draw by where none is asked for."""
    said = whole.captioned(cook.sentences) if cook.sentences else whole
    images = said.only(only) if only else said
    if not cook.sentences:
        images = images if cook.by_class else images.unlabelled()
        return images, images.labels, None, {"names": images.names}
    vocabulary = told.vocabulary(images.captions)
    heard = [told.heard(caption, vocabulary) for caption in images.captions]
    names = None if only or whole.captions is not None else images.names
    prompts = told.captions(cook.sentences[:1], names) if names else list(dict.fromkeys(heard))[:10]
    return images.unlabelled(), told.tokens(heard, vocabulary), vocabulary, {"names": names, "prompts": prompts}


def _made_ready(options: argparse.Namespace, out: Path, cook: Recipe, about: dict, state: trainer.State, say):
    """Fill the state of a run that is resumed, or move an earlier one aside; returns the curves' context."""
    if options.resume:
        if (out / checkpoint.MODEL).exists():
            _same_run(checkpoint.load(out), cook, about)
        trainer.resume(state, out / checkpoint.TRAINING)
    trainer.parts_of(state, cook.batch, options.accumulate)
    main_process, processes = state.accelerator.is_main_process, state.accelerator.num_processes
    curves = journal.for_tensorboard(options.log if main_process else None, state)
    if options.resume:
        say(f"resuming {out} at step {state.step}")
    elif main_process and (aside := _move_aside(out)) is not None:
        say(f"{out} held an earlier run; it now lies in {aside}")
    if processes > 1:
        say(f"{processes} processes share each batch of {cook.batch} images")
    return curves


def _same_run(earlier: checkpoint.Trained, cook: Recipe, now: dict) -> None:
    """A run is resumed with the recipe, data and settings that it began with, or not at all."""
    began = {"resident": False} | earlier.about  # files of earlier versions do not say
    pairs = {"recipe": (began["recipe"], now["recipe"])} if "recipe" in began else {}
    pairs |= {key: (began.get(key), now[key]) for key in OF_THE_RUN}
    pairs["prediction"] = earlier.predict, cook.predict
    if not torch.equal(earlier.schedule.beta, cook.schedule.beta):
        pairs["schedule"] = earlier.schedule, cook.schedule
    then, here = began.get("settings", {}), now["settings"]
    pairs |= {key: (then[key], here[key]) for key in sorted(then.keys() & here.keys() - {"predict", "schedule"})}
    for key, (then, here) in pairs.items():
        if then != here:
            raise ValueError(f"need the run's own {key} to resume it, which is {then!r}, but got {here!r}.")


def _keep(state: trainer.State, cook: Recipe, about: dict, out: Path, loss: float | None) -> None:
    """What `--resume` needs, then the model; each file is whole at any moment."""
    if not state.whole:
        print("\nstopped within a step: the checkpoint before it stands")
        return
    reached = {"trained_steps": state.step, "images_seen": state.images, "minutes": round(state.seconds / 60, 2)}
    trainer.save(state, out / checkpoint.TRAINING)
    if state.accelerator.is_main_process:
        if loss is None and (out / checkpoint.MODEL).exists():  # stopped before the first report
            loss = checkpoint.load(out).about.get("loss")
        about = about | reached | {"loss": loss}
        checkpoint.save(out, checkpoint.Trained(trainer.averaged(state), cook.schedule, cook.predict, about))


def _what_stands(out: Path) -> str:
    there = (out / checkpoint.MODEL).exists()
    return f"the checkpoint in {out} is the last good one" if there else "nothing was saved before"


def _advice(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return " Start all processes again with --resume."
    return " A smaller --lr may help." if isinstance(error, FloatingPointError) else ""


def _move_aside(out: Path) -> Path | None:
    """An earlier run in `out` is moved to out-1, out-2, ...: nothing is overwritten."""
    if not (out / checkpoint.MODEL).exists() and not (out / checkpoint.TRAINING).exists():
        return None
    number = 1
    while (aside := out.with_name(f"{out.name}-{number}")).exists():
        number += 1
    os.rename(out, aside)
    return aside
