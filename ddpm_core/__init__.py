"""Denoising diffusion, from the schedule to the sampler. The four rooms of the book stand here, the rest around them.

schedule     how fast the data drown in noise       diffusion    Gaussians, predictions, losses, the bound
unet         the network                            networks     conditioning, the paper's own layout, costs
trainer      the loop                               data         data sets, transforms, batches
sampler      from noise to pictures                 training     state on disk, devices, failures, progress
                                                    recipes      hyperparameters, and trainings by name
                                                    storage      checkpoints, the Hub, provenance
                                                    evaluation   is it any good?
                                                    sharing      the Hub with a card, diffusers, ONNX
                                                    book         plots, widgets and exercises of the chapters
                                                    cli          python -m ddpm_core

Data flows one way: a room imports only what stands before it in this order: schedule, diffusion, sampler, networks,
unet, storage, data, training, trainer, recipes, evaluation, sharing, book, cli.
"""

__version__ = "0.1.0"
