"""The variational bound of a trained model, in bits per dimension on real pictures."""

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ddpm_core.data import to_float
from ddpm_core.diffusion import elbo, prediction, variance
from ddpm_core.diffusion.model import Model
from ddpm_core.diffusion.noise import seeded
from ddpm_core.evaluation.references import References, conditions_of

VARIANCES = {  # beta_tilde_1 is 0 and has no logarithm: beta_tilde_2 stands in
    "beta": variance.beta,
    "beta_tilde": variance.interpolated(torch.zeros(())),
}


def bits_per_dim(
    model: Model, real: References, *, images: int, variance: str, seed: int, at_once: int, device: str
) -> dict:
    """The discrete bound on `images` held-out images, with T network calls for each of them; given their labels or
    captions, if the network is told any. x0_hat is clipped, as in the samplers."""
    split = "training" if real.held_out is None else "held-out"
    chosen = real.held_out or real.known
    rows = torch.randperm(len(chosen), generator=seeded(seed, 2))[:images]
    chosen, network, found = chosen.take(rows), model.network.to(device), []
    conditions = conditions_of(model, chosen)
    calls = model.schedule.T * -(-len(rows) // at_once)
    with tqdm(total=calls, desc="bits per dimension", unit=" calls") as bar:
        for part in torch.arange(len(rows)).split(at_once):
            x0 = to_float(chosen.images[part]).to(device)
            labels = None if conditions is None else conditions[part]

            def told(x_t: Tensor, t: Tensor, labels=labels) -> Tensor:
                bar.update()
                return network(x_t, t) if labels is None else network(x_t, t, labels=labels)

            denoise = prediction.clip_denoised(prediction.denoiser(told, model.schedule, model.prediction))
            generator = seeded(seed, 3, int(rows[part[0]]))
            terms = elbo.vlb_terms(denoise, model.schedule, x0, generator, VARIANCES[variance])
            found.append(elbo.bits_per_dim(terms, x0).cpu())
    bits = torch.cat(found, dim=1)  # (T + 1, N)
    total = bits.sum(0)
    parts = {"bound": total.mean(), "L_T": bits[0].mean(), "L_t": bits[2:].sum(0).mean(), "L_0": bits[1].mean()}
    error = total.std() / len(total) ** 0.5 if len(total) > 1 else None
    return {name: float(f"{value:.5g}") for name, value in parts.items()} | {
        "error": None if error is None else float(f"{error:.2g}"),
        "images": len(total), "split": split, "variance": variance,
    }  # fmt: skip
