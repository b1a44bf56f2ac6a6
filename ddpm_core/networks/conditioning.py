"""What a network is told beside the picture and its time: nothing, a class, or a caption. Torch only.

A caption's words become numbers, and a small transformer makes one vector of them. The vocabulary is that of the
captions that a network is trained with, or a `FrozenText`: a text encoder that others have trained. Number 0 stands
for no word: it fills a short caption up, and the empty caption, which says "none given", is nothing else.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm_core.networks.cross_attention import PAD, Words
from ddpm_core.networks.frozen_text import FrozenText
from ddpm_core.networks.layout import check_lists

MAX_WORDS = 16  # words of a caption at most; a short one costs as much as a long one


def tokenize(caption: str) -> list[str]:
    """The words of a caption, in small letters: "A red car isn't blue." -> ["a", "red", "car", "isn't", "blue"]."""
    if not isinstance(caption, str):
        raise ValueError(f"need a caption as text, but got {caption!r:.60}.")
    plain = unicodedata.normalize("NFC", caption).lower().replace("\u2019", "'")
    kept = (c if c.isalnum() or c in "'-" or unicodedata.category(c).startswith("M") else " " for c in plain)
    return [word for part in "".join(kept).split() if (word := part.strip("'-"))]


def fill_templates(sentences: Sequence[str], names: Sequence[str]) -> list[str]:
    """What each sentence says of each name, all names by the first sentence first.

    A sentence has the name at {}; the article before it agrees: ["a photo of a {}"], ["cat", "airplane"] ->
    ["a photo of a cat", "a photo of an airplane"].
    """

    check_lists(str, sentences=sentences, names=names)

    def said(sentence: str, name: str) -> str:
        if name[:1].lower() in set("aeiou"):
            sentence = re.sub(r"\b([Aa]) \{\}", r"\1n {}", sentence)
        return sentence.format(name)

    return [said(sentence, name) for sentence in sentences for name in names]


def vocabulary(captions: Iterable[str]) -> list[str]:
    """All words of the captions, in alphabetical order; word k of it has the number k + 1."""
    if isinstance(captions, str) or not isinstance(captions, Iterable):
        raise ValueError(f"need captions as a list of them, but got {captions!r:.60}.")
    return sorted({word for caption in captions for word in tokenize(caption)})


def keep_known_words(caption: str, vocabulary: Sequence[str]) -> str:
    """What a network hears of a caption: the words that it has learned, MAX_WORDS of them at most."""
    if isinstance(vocabulary, FrozenText):
        return vocabulary.shortened(caption)
    check_lists(str, vocabulary=vocabulary)
    learned = set(vocabulary)
    return " ".join([word for word in tokenize(caption) if word in learned][:MAX_WORDS])


def described(vocabulary: Sequence[str] | None) -> list[str] | dict[str, str] | None:
    """What a checkpoint keeps of it: the words, or the name of the text encoder and the sha256 of its weights."""
    return vocabulary.about if isinstance(vocabulary, FrozenText) else None if vocabulary is None else list(vocabulary)


def encode(captions: Sequence[str], vocabulary: Sequence[str]) -> Tensor:
    """The captions as numbers, (N, MAX_WORDS) int64, filled up with PAD.

    Raises ValueError for a word that is not in the vocabulary and for a caption of more than MAX_WORDS words; see
    `keep_known_words`.
    """
    check_lists(str, captions=captions)
    if isinstance(vocabulary, FrozenText):
        return vocabulary.encode(captions)
    check_lists(str, vocabulary=vocabulary)
    numbers = {word: k for k, word in enumerate(vocabulary, 1)}
    rows = torch.full((len(captions), MAX_WORDS), PAD)
    for row, caption in zip(rows, captions, strict=True):
        said = tokenize(caption)
        if unknown := list(dict.fromkeys(word for word in said if word not in numbers)):
            some = ", ".join(vocabulary[:20]) + (f" and {len(vocabulary) - 20} more" if len(vocabulary) > 20 else "")
            raise ValueError(f"need words that the network has learned ({some}), but got {_listed(unknown)}.")
        if len(said) > MAX_WORDS:
            raise ValueError(f"need a caption of at most {MAX_WORDS} words, but {caption[:60]!r} has {len(said)}.")
        row[: len(said)] = torch.tensor([numbers[word] for word in said], dtype=torch.long)
    return rows


def _listed(words: list[str]) -> str:
    """'cat', 'mat' and 3 more."""
    return ", ".join(map(repr, words[:5])) + (f" and {len(words) - 5} more" if len(words) > 5 else "")


class ClassEmbedding(nn.Embedding):
    """Labels (B,) -> one vector a label, (B, width); the last label means "none given"."""

    unit, number, shape = "label", "label", ()

    @property
    def known(self) -> int:
        """Labels are 0..known-1."""
        return self.num_embeddings - 1

    def forward(self, labels: Tensor) -> Tensor:
        _check_numbers(labels, self.num_embeddings, self.number)
        return super().forward(labels)

    def read(self, labels: Tensor) -> tuple[Tensor, None]:
        """The vectors; a label has no words."""
        return self(labels), None

    def nothing(self, n: int, device: torch.device) -> Tensor:
        """What stands for no label, (n,)."""
        return torch.full((n,), self.known, device=device)


class TextEncoder(nn.Module):
    """Tokens (B, MAX_WORDS) -> one vector a caption, (B, width): what a start token has gathered from the words.

    Each word is its own vector plus that of its place; the words and the start token attend to each other, none of them
    to PAD.   [Vaswani 2017; Devlin 2018, Section 3]
    """

    unit, number, shape = f"caption of {MAX_WORDS} tokens", "token", (MAX_WORDS,)

    def __init__(self, words: int, width: int, layers: int = 2, heads: int = 4):
        super().__init__()
        self.known = words + 1  # tokens are 0..known-1
        self.word = nn.Embedding(self.known, width)
        self.start, self.place = (nn.Parameter(0.02 * torch.randn(n, width)) for n in (1, MAX_WORDS))
        how = dict(dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(width, heads, 2 * width, **how) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.read(tokens)[0]

    def read(self, tokens: Tensor) -> tuple[Tensor, Words]:
        """The vectors of the captions, and those of the start token and of each word, (B, 1 + MAX_WORDS, width)."""
        _check_numbers(tokens, self.known, self.number)
        said = self.word(tokens) + self.place  # (B, MAX_WORDS, width)
        h = torch.cat([self.start.expand(tokens.shape[0], 1, -1), said], dim=1)
        empty = F.pad(tokens == PAD, (1, 0))  # the start token is always there
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=empty)
        h = self.norm(h)
        return h[:, 0], Words(h, empty)

    def nothing(self, n: int, device: torch.device) -> Tensor:
        """The empty caption, (n, MAX_WORDS)."""
        return torch.full((n, MAX_WORDS), PAD, device=device)


class FrozenTextEncoder(nn.Module):
    """Tokens (B, length) -> one vector a caption, (B, width): a linear map, which is trained, of a `FrozenText`'s.

    If `words` are asked for one by one, another map brings their vectors to the same width.
    """

    number = "token"

    def __init__(self, text: FrozenText, width: int, words: bool = False):
        super().__init__()
        self.text, self.known, self.shape = text, text.known, (text.length,)
        self.unit = f"caption of {text.length} tokens"
        self.vector, self.word = nn.Linear(text.width, width), nn.Linear(text.width, width) if words else None

    def forward(self, tokens: Tensor) -> Tensor:
        return self.read(tokens)[0]

    def read(self, tokens: Tensor) -> tuple[Tensor, Words | None]:
        """The vectors of the captions, and those of begin, tokens and end, (B, length + 2, width), if asked for."""
        _check_numbers(tokens, self.known, self.number)
        vector, words = self.text.read(tokens)
        return self.vector(vector), None if self.word is None else Words(self.word(words.vectors), words.empty)

    def nothing(self, n: int, device: torch.device) -> Tensor:
        """The empty caption, (n, length)."""
        return torch.full((n, *self.shape), PAD, device=device)


def encoder(
    num_classes: int | None, vocabulary: Sequence[str] | None, width: int, words: bool = False
) -> ClassEmbedding | TextEncoder | FrozenTextEncoder | None:
    """What turns a class or a caption into a vector of this width; None for a network that is told neither.

    Raises ValueError for both at once, for a vocabulary without words, and if `words` are asked for one by one and
    there are no captions.
    """
    if words and vocabulary is None:
        raise ValueError("need captions for cross-attention to their words, but this network is told none.")
    if num_classes is not None and vocabulary is not None:
        raise ValueError(
            f"need classes or captions to be told, but got {num_classes} classes and {len(vocabulary)} words."
        )
    if vocabulary is None:
        return None if num_classes is None else ClassEmbedding(num_classes + 1, width)
    if isinstance(vocabulary, FrozenText):
        return FrozenTextEncoder(vocabulary, width, words)
    if not vocabulary:
        raise ValueError("need captions with words in them, but got none.")
    return TextEncoder(len(vocabulary), width)


def check_reads_itself(network: nn.Module) -> None:
    """Raises ValueError for a network that cannot go anywhere alone: its captions are read by a `FrozenText`."""
    if isinstance(reader := getattr(network, "vocabulary", None), FrozenText):
        raise ValueError(f"need a network that reads captions by itself, but this one needs {reader.name} for it.")


def check_labels(encoder: nn.Module | None, labels: Tensor, n: int) -> None:
    """Raises ValueError unless these are labels or tokens of n images that the encoder has learned."""
    check_shape(encoder, labels, n)
    _check_numbers(labels.cpu(), encoder.known, encoder.number)


def check_shape(encoder: nn.Module | None, labels: Tensor, n: int) -> None:
    """Raises ValueError unless there is one label, or the tokens of one caption, for each of n images."""
    if encoder is None:
        raise ValueError("need a network that is told classes or captions, but this one is not, and got labels.")
    if not isinstance(labels, Tensor):
        raise ValueError(f"need labels as a tensor, but got a {type(labels).__name__}.")
    if labels.shape != (n, *encoder.shape):
        raise ValueError(f"need one {encoder.unit} for each of {n} images, but got shape {tuple(labels.shape)}.")


def _check_numbers(labels: Tensor, n: int, what: str) -> None:
    """Raises ValueError unless these are whole numbers in 0..n-1; on a GPU, which a look would stall, of any size."""
    if labels.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"need {what}s as int64 or int32, but got {labels.dtype}.")
    if labels.device.type != "cpu" or torch.compiler.is_compiling() or not labels.numel():
        return
    if not 0 <= labels.min() <= labels.max() < n:
        low, high = labels.min().item(), labels.max().item()
        raise ValueError(f"need {what}s in 0..{n - 1} for this network, but got {low}..{high}.")
