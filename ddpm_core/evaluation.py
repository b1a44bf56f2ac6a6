"""python -m ddpm_core evaluate: what a checkpoint draws, beside real images, and its bound on those."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from . import bound, card, checkpoint, data, devices, drawing, fid, origin, sampler, show, variance
from .checkpoint import Trained
from .cookbook import BY_NAME
from .evaluate import Judge, frechet, gradient_energy, kept_judge
from .files import file_sha256, replace_file
from .hub import Absent
from .images import Images, pad_to, to_float
from .options import with_defaults
from .seeds import seeded

VARIANCES = {  # beta_tilde_1 is 0 and has no logarithm: beta_tilde_2 stands in
    "beta": variance.beta,
    "beta_tilde": variance.interpolated(torch.zeros(())),
}
NOTE = (
    "recognised: share of the images that a small classifier, trained on the real training images, calls what they "
    "should show; frechet: distance to the training images in that classifier's standardised features, so not FID; "
    "edges: mean difference of neighbouring pixels; real: held-out images, as many as were drawn or as there "
    "are (real_images), judged alike (edges of training images where none are held out); bits_per_dim: the "
    "discrete variational bound, one draw of x_t for each t, its standard error over the images; fid: by torch-fidelity"
)


@dataclass(frozen=True, eq=False)
class Real:
    """The real images: those of the training split, held-out ones of the same kind or None, and their judge or None.

    kind is the number of the one class that the model was made for, or None; then they are of this class alone.
    """

    known: Images
    held_out: Images | None
    judge: Judge | None
    kind: int | None


def evaluate(options: argparse.Namespace) -> int:
    """Measure what a checkpoint draws, beside real images; with --bits-per-dim its bound, with --fid its FID."""
    began, device, options = time.perf_counter(), devices.check_device(options.device), with_defaults(options)
    trained = drawing.opened(options.checkpoint)
    if options.fid:
        fid.ready(trained.net.in_channels)
    real = real_images(options.data or _trained_on(trained.about), trained)
    how = drawing.settings(trained, options.sampler, options.steps) | {"guidance": options.guidance}
    n = max(options.n, options.fid_images if options.fid else 0)
    said = drawing.captions_like(real.known, trained, n, options.seed)
    with tqdm(total=n, desc="drawing", unit=" images") as bar:
        drawn, labels = drawing.draw(
            trained, n, captions=said, note=bar.update, seed=options.seed, at_once=options.at_once, device=device, **how
        )
    few = drawn[: options.n], None if labels is None else labels[: options.n]
    rows = looks(real, *few, options.seed)
    if options.bits_per_dim:
        rows["bits_per_dim"] = price(trained, real, options, device)
    if options.fid:
        rows["fid"] = {
            "drawn": round(fid.fid(drawn[: options.fid_images], real.known.images, device), 3),
            "images": options.fid_images,
            "reference": f"{len(real.known):,} training images of {origin.public(real.known.source)}",
        }
    beside = 0 if real.held_out is None else min(options.n, len(real.held_out))
    results = {
        "training": _training(trained), "images": options.n, "real_images": beside,
        "how": how | {"seed": options.seed, "at_once": options.at_once}, "rows": rows,
    }  # fmt: skip
    counts = f"{options.n:,} images beside {format(beside, ',') if beside else 'no'} held-out ones"
    print(f"{options.checkpoint}: {counts}, {drawing.in_words(how)}, seed {options.seed}")
    print(card.table(rows))
    if options.json:
        about = provenance(options, trained, real, device, (time.perf_counter() - began) / 60)
        whole = json.dumps(about | {"results": results | {"note": NOTE}}, indent=1) + "\n"
        replace_file(options.json, lambda temporary: temporary.write_text(whole))
    return 0


def _trained_on(about: dict) -> str:
    """The data that a checkpoint names. Raises ValueError where the name need not lead to them: of a path it keeps the
    last two parts, which may be another's name on the Hub."""
    named = about.get("data")
    if named is None:
        raise ValueError("need --data, since the model's file does not say what it was trained on.")
    if named not in {plan.data for plan in BY_NAME.values()} and not Path(named).exists():
        raise ValueError(
            "need --data: the model was trained on a local folder, or on data without a recipe, and its file says no "
            f"more of them than {named!r}."
        )
    return named


def real_images(source: str, trained: Trained) -> Real:
    """The data set that the model was trained on, padded as it was, and its judge. Raises ValueError for held-out
    images without labels where the model draws by class."""
    about, known = trained.about, data.load_images(source)
    hashes = {about.get("data_sha256"), about.get("pixels_sha256")} - {None}
    if hashes and not hashes & {known.sha256, known.pixels_sha256}:
        print(f"note: {origin.public(source)} is not, file for file, what the model was trained on")
    try:
        held_out = data.load_images(source, "test")
    except Absent:
        held_out = None
    if held_out is not None and held_out.sha256 == known.sha256:
        held_out = None  # a data set without splits
    by_class = trained.net.num_classes is not None or about.get("names")
    if by_class and held_out is not None and held_out.labels is None and known.labels is not None:
        raise ValueError(f"need labels to judge a model by class, but the held-out images of {source} have none.")
    splits = [known] if held_out is None else [known, held_out]
    known, *rest = [replace(split, images=pad_to(split.images, *about["size"])) for split in splits]
    judge = None if known.labels is None else kept_judge(known, steps=600 if max(about["size"]) <= 16 else 3500)
    only, kind = about.get("only"), None
    if only is not None:
        names = known.names or []
        kind = names.index(only) if only in names else int(only)
        known, rest = known.only(only), [split.only(only) for split in rest]
    return Real(known, rest[0] if rest else None, judge, kind)


def looks(real: Real, drawn: Tensor, labels: Tensor | None, seed: int) -> dict[str, dict]:
    """Drawn images beside as many held-out ones, or all: recognised, Fréchet distance to the training images, edges."""
    held = real.held_out
    if held is not None:
        held = held.at(torch.randperm(len(held), generator=seeded(seed, 1))[: len(drawn)])

    def pair(measure: Callable[[Tensor, Tensor | None], float]) -> dict[str, float | None]:
        return {
            "drawn": round(measure(drawn, labels), 4),
            "real": None if held is None else round(measure(held.images, held.labels), 4),
        }

    def share(images: Tensor, of: Tensor | None) -> float:
        wanted = torch.full((len(images),), real.kind) if of is None else of
        return real.judge.accuracy(images, wanted)

    found = {}
    if real.judge is not None and (labels is not None or real.kind is not None):
        found["recognised"] = pair(share)
    if real.judge is not None:
        reference = real.judge.features(real.known.images)
        found["frechet"] = pair(lambda images, _: frechet(reference, real.judge.features(images)))
    edges = gradient_energy(drawn), gradient_energy((held or real.known).images)
    return found | {"edges": {"drawn": round(edges[0], 4), "real": round(edges[1], 4)}}


def price(trained: Trained, real: Real, options: argparse.Namespace, device: str) -> dict:
    """The bound in bits per dimension on held-out images, with T network calls for each of them; given their labels or
    captions, if the network is told any. x0_hat is clamped, as in the samplers."""
    split = "held-out" if real.held_out is not None else "training"
    images = real.held_out or real.known
    rows = torch.randperm(len(images), generator=seeded(options.seed, 2))[: options.bits_per_dim_images]
    images, net, found = images.at(rows), trained.net.to(device), []
    said = drawing.told_of(trained, images)
    calls = trained.schedule.T * -(-len(rows) // options.at_once)
    with tqdm(total=calls, desc="bits per dimension", unit=" calls") as bar:
        for part in torch.arange(len(rows)).split(options.at_once):
            x0 = to_float(images.images[part]).to(device)
            labels = None if said is None else said[part]

            def asked(x_t: Tensor, t: Tensor, labels=labels) -> Tensor:
                bar.update()
                return net(x_t, t) if labels is None else net(x_t, t, labels=labels)

            denoise = sampler.clamped(sampler.denoiser(asked, trained.schedule, trained.predict))
            chance = seeded(options.seed, 3, int(rows[part[0]]))
            terms = bound.terms(denoise, trained.schedule, x0, chance, VARIANCES[options.variance])
            found.append(bound.bits_per_dim(terms, x0).cpu())
    bits = torch.cat(found, dim=1)  # (T + 1, N)
    total = bits.sum(0)
    parts = {"bound": total.mean(), "L_T": bits[0].mean(), "L_t": bits[2:].sum(0).mean(), "L_0": bits[1].mean()}
    error = total.std() / len(total) ** 0.5 if len(total) > 1 else None
    return {name: float(f"{value:.5g}") for name, value in parts.items()} | {
        "error": None if error is None else float(f"{error:.2g}"),
        "images": len(total), "split": split, "variance": options.variance,
    }  # fmt: skip


def provenance(
    options: argparse.Namespace, trained: Trained, real: Real, device: str, minutes: float
) -> dict[str, object]:
    """How, on what, when and for how long the figures were made, and of which model."""
    return {
        "command": "python -m ddpm_core " + " ".join(origin.public(a) for a in options.words),
        "commit": origin.commit(),
        "version": version("ddpm-core"),
        "device": show.device_name(device),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "minutes": round(minutes, 1),
        "data_sha256": real.known.sha256,
        "model_sha256": _model_sha256(options.checkpoint),
        "recipe": recipe_of(trained.about),
    }


def _model_sha256(name: str) -> str | None:
    """None for weights that others have published: their name stands in the command."""
    try:
        return file_sha256(checkpoint.find(name))
    except (checkpoint.CheckpointError, FileNotFoundError):
        return None


def recipe_of(about: dict) -> dict | None:
    """By which recipe the model was made, as `cookbook.described` has it; None if its file does not say."""
    if "settings" not in about:
        return None
    length = {"minutes": about["length"].get("minutes"), "training_steps": about["length"].get("steps")}
    return about["settings"] | length | {key: about[key] for key in ("only", "pixels_sha256")}


def _training(trained: Trained) -> dict:
    """What the checkpoint says of its making."""
    keys = ("recipe", "minutes", "images_seen", "trained_steps", "seed", "loss", "device", "date")
    return {key: trained.about.get(key) for key in keys}
