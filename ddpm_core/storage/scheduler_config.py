"""A schedule and a prediction in the words of the library diffusers, scheduler_config.json: written and read.

There a time t of ours has the number t - 1, and the betas start at that of t = 1.
"""

import torch

from ddpm_core.diffusion.prediction import EPS, X0, Prediction, V
from ddpm_core.schedule import Schedule, cosine, from_betas, linear
from ddpm_core.storage.files import CheckpointError

FILE = "scheduler_config.json"
WORDS = {"epsilon": EPS, "sample": X0, "v_prediction": V}
# What must not be said otherwise: each would draw something else from the same network.
WANTED = {
    "thresholding": False, "rescale_betas_zero_snr": False, "clip_sample": True, "clip_sample_range": 1.0,
    "steps_offset": 0,
}  # fmt: skip


def scheduler_config(schedule: Schedule, prediction: Prediction) -> dict:
    """What a DDPMScheduler must be told to walk as `sampler.ancestral` does; a DDIMScheduler reads the same.

    The paper's straight line is named by its ends; any other schedule is a list of betas. With steps that divide T the
    times visited are those of `timesteps.uniform`. Raises ValueError for MEAN, which the library has no word for.
    """
    named = {prediction.name: word for word, prediction in WORDS.items()}
    if prediction.name not in named:
        raise ValueError(f"need one of the predictions {', '.join(named)} for diffusers, but got {prediction}.")
    betas = schedule.beta[1:].tolist()
    straight = torch.equal(linear(schedule.T, betas[0], betas[-1]).beta, schedule.beta)
    return {
        "_class_name": "DDPMScheduler", "num_train_timesteps": schedule.T, "prediction_type": named[prediction.name],
        "beta_schedule": "linear", "beta_start": betas[0], "beta_end": betas[-1],
        "trained_betas": None if straight else betas,
        "variance_type": "fixed_small", "timestep_spacing": "trailing", **WANTED,
    }  # fmt: skip


def schedule_and_prediction(config: dict) -> tuple[Schedule, Prediction]:
    """The schedule and the prediction that a scheduler_config.json describes; what it does not say is the paper's.

    Raises CheckpointError, in one sentence, for a schedule or a prediction that is not known here.
    """
    said = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"} | config
    for key in ("thresholding", "rescale_betas_zero_snr"):
        if said.get(key):
            raise CheckpointError(f"need a scheduler without {key}, but {FILE} asks for it.")
    T, ends = said["num_train_timesteps"], (said["beta_start"], said["beta_end"])
    word, predicted = said["beta_schedule"], said.get("prediction_type", "epsilon")
    if predicted not in WORDS:
        raise CheckpointError(f"need a prediction_type of {', '.join(WORDS)}, but {FILE} says {predicted!r}.")
    try:
        if said.get("trained_betas") is not None:
            return from_betas(said["trained_betas"]), WORDS[predicted]
        if word == "linear":
            return linear(T, *ends), WORDS[predicted]
        if word == "scaled_linear":  # a straight line of square roots
            roots = torch.linspace(ends[0] ** 0.5, ends[1] ** 0.5, T, dtype=torch.float64)
            return from_betas(roots**2), WORDS[predicted]
        if word == "squaredcos_cap_v2":
            return cosine(T), WORDS[predicted]
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"need a noise schedule, but {FILE} describes none: {error}") from error
    known = "linear, scaled_linear, squaredcos_cap_v2 or trained_betas"
    raise CheckpointError(f"need a beta_schedule of {known}, but {FILE} says {word!r}.")
