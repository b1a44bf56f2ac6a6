"""A network and a pipeline for the library diffusers, in one file that stands alone: `to_diffusers` writes the code of
`ddpm_core.unet` above it.

The package itself never imports this file: it is read as text, and runs where diffusers is.
"""

from dataclasses import dataclass

import torch
from diffusers import ConfigMixin, DiffusionPipeline, ImagePipelineOutput, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor

from ddpm_core.networks.conditioning import encode
from ddpm_core.unet import UNet


@dataclass
class Output(BaseOutput):
    """`sample`, shaped like the pictures: what the network put out."""

    sample: torch.Tensor


class TravellingUNet(ModelMixin, ConfigMixin):
    """The book's U-Net, with times that count from 0 as everywhere in diffusers.

    layout: the arguments of `UNet`; sample_size: height and width of the pictures; names: of the classes.
    """

    @register_to_config
    def __init__(self, layout: dict, sample_size: list, names: list | None = None):
        super().__init__()
        self.network = UNet(**layout)

    def forward(self, sample, timestep, class_labels=None, return_dict=True):
        t = torch.as_tensor(timestep, device=sample.device).expand(len(sample)) + 1
        found = self.network(sample, t, class_labels)
        return Output(sample=found) if return_dict else (found,)


class TravellingPipeline(DiffusionPipeline):
    """From noise to pictures, of a class or by a caption, with any scheduler of diffusers that suits the network."""

    def __init__(self, unet, scheduler):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self, batch_size=1, class_labels=None, prompt=None, guidance_scale=0.0, num_inference_steps=50, latents=None,
        generator=None, output_type="pil", return_dict=True, **of_step,
    ):  # fmt: skip
        """class_labels: numbers, one a picture; prompt: a caption, or one a picture; neither leaves it to the network.

        guidance_scale  pulls by conditional + scale (conditional - unconditional): 0 is no guidance
        latents         the noise to start from, else `generator` draws it
        of_step         what else the scheduler's step takes: eta, use_clipped_model_output
        """
        network, device = self.unet.network, self._execution_device
        if prompt is not None:
            captions = [prompt] * batch_size if isinstance(prompt, str) else list(prompt)
            class_labels = encode(captions, network.vocabulary)
        if class_labels is not None:
            class_labels = torch.as_tensor(class_labels, device=device)
            batch_size = len(class_labels)
        shape = (batch_size, network.in_channels, *self.unet.config.sample_size)
        x = randn_tensor(shape, generator, device, self.unet.dtype) if latents is None else latents.to(device)
        self.scheduler.set_timesteps(num_inference_steps)
        for t in self.progress_bar(self.scheduler.timesteps):
            found = self.unet(x, t, class_labels).sample
            if guidance_scale and class_labels is not None:
                found = found + guidance_scale * (found - self.unet(x, t).sample)
            x = self.scheduler.step(found, t, x, generator=generator, **of_step).prev_sample
        images = (x / 2 + 0.5).clamp(0, 1)
        if output_type != "pt":
            images = images.cpu().permute(0, 2, 3, 1).numpy()
            images = self.numpy_to_pil(images) if output_type == "pil" else images
        return ImagePipelineOutput(images=images) if return_dict else (images,)
