"""What leaves the house and comes back: models for the Hub with a card, for diffusers, and as ONNX files."""

from ddpm_core.sharing.publishing import push_to_hub, save_pretrained
from ddpm_core.sharing.to_diffusers import save_diffusers
from ddpm_core.sharing.to_onnx import export_onnx
from ddpm_core.storage.pretrained import from_pretrained

__all__ = ["export_onnx", "from_pretrained", "push_to_hub", "save_diffusers", "save_pretrained"]
