"""A text encoder that others have trained, and that stays as it is: only what stands behind it learns. Torch only.

It stands where a network of ours has a list of words, and reads whatever its own tokens can spell.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm_core.networks.cross_attention import PAD, Words


class FrozenText(Sequence):
    """Captions -> tokens (B, length) -> vectors of `width` numbers, by CLIP's text transformer.   [Radford 2021]

    As a vocabulary it is a sequence of its tokens: parts of words, number k + 1 for [k], and 0 for none.

    model      ids (B, L) -> an answer with last_hidden_state (B, L, width), where no place sees a later one
    tokenizer  its own: captions -> lists of ids; it names the ids that begin and end a text
    about      what a checkpoint keeps in the place of the weights: {"text_encoder": name, "sha256": of its weights}

    It is no module, so that whatever holds it has its weights neither among its own nor in its file, and copies of a
    network share it.
    """

    def __init__(self, model: nn.Module, tokenizer: Callable, about: dict[str, str]):
        self.model, self.tokenizer, self.about = model.float().eval().requires_grad_(False), tokenizer, dict(about)
        self.parts = tokenizer.convert_ids_to_tokens(list(range(model.config.vocab_size)))
        self.width, self.known = model.config.hidden_size, len(self.parts) + 1  # tokens are 0..known-1
        self.length = model.config.max_position_embeddings - 2  # tokens of a caption at most, between begin and end
        self._ids = lru_cache(maxsize=10_000)(self._split)  # many pictures have one caption

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, k: int) -> str:
        return self.parts[k]

    def __deepcopy__(self, memo: dict) -> "FrozenText":
        return self

    @property
    def name(self) -> str:
        """What it is called: on the Hub, or its folder."""
        return self.about["text_encoder"]

    def encode(self, captions: Sequence[str]) -> Tensor:
        """The captions as tokens, (N, length) int64, filled up with PAD. Raises ValueError for one that is too long."""
        rows = torch.full((len(captions), self.length), PAD)
        for row, caption in zip(rows, captions, strict=True):
            said = self._ids(caption)
            if len(said) > self.length:
                raise ValueError(
                    f"need a caption of at most {self.length} tokens for the text encoder {self.name}, but "
                    f"{caption[:60]!r} has {len(said)}."
                )
            row[: len(said)] = torch.tensor(said, dtype=torch.long) + 1
        return rows

    def shortened(self, caption: str) -> str:
        """As many of the caption's words as it can take."""
        words = caption.split()
        while len(self._ids(" ".join(words))) > self.length:
            words.pop()
        return " ".join(words)

    @torch.compiler.disable
    @torch.no_grad()
    def read(self, tokens: Tensor) -> tuple[Tensor, Words]:
        """Of tokens (B, length) the vector of each caption, (B, width), and those of its places, begin and end among
        them, (B, length + 2, width).

        The vector is the one at the end, the only place that has seen the whole. A caption is read once, however many
        pictures it belongs to, and only as far as it goes: no place sees what stands behind it.
        """
        captions, which = tokens.cpu().unique(dim=0, return_inverse=True)
        longest = int((captions != PAD).sum(1).max())
        said = F.pad(captions[:, :longest] - 1, (1, 1), value=-1)  # -1, where no token is, becomes an end
        ids = torch.where(said < 0, self.tokenizer.eos_token_id, said)
        ids[:, 0] = self.tokenizer.bos_token_id
        h = self.model.to(tokens.device)(input_ids=ids.to(tokens.device)).last_hidden_state[which.to(tokens.device)]
        end = (tokens != PAD).sum(1) + 1  # (B,)
        empty = torch.arange(self.length + 2, device=tokens.device) > end[:, None]
        return h[torch.arange(len(h)), end], Words(F.pad(h, (0, 0, 0, self.length - longest)), empty)

    def _split(self, caption: str) -> list[int]:
        return self.tokenizer(caption, add_special_tokens=False)["input_ids"]
