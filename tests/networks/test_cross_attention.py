"""Cross-attention: its formula, empty places that nobody looks at, and a network that can be watched."""

import pytest
import torch

from ddpm_core.networks import conditioning
from ddpm_core.networks.cross_attention import CrossAttention, Words, watched
from ddpm_core.unet import UNet

WORDS = ["bites", "dog", "man"]
T = torch.tensor([3, 700])


@pytest.fixture
def layer():
    torch.manual_seed(0)
    made = CrossAttention(16, 12, heads=4).double()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return made


@pytest.fixture
def net():
    torch.manual_seed(1)
    made = UNet(3, (8, 16, 24), vocabulary=WORDS, cross_attention=(1, 2)).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return made


def some_words(n=2, empty=(0, 2)):
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(n, 5, 12, generator=generator, dtype=torch.float64)
    return Words(vectors, torch.arange(5)[None] >= 5 - torch.tensor(empty)[:, None])


def picture():
    return torch.randn(2, 16, 4, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def test_a_new_layer_adds_nothing():
    x = picture()
    assert torch.equal(CrossAttention(16, 12, 4).double()(x, some_words()), x)


def test_it_is_its_formula(layer):
    """Position by position and head by head, over the words that are there."""
    x, words = picture(), some_words()
    asked = layer.norm(x)
    W, b = layer.query.weight[:, :, 0, 0], layer.query.bias
    K, V = layer.key_value.weight.chunk(2)
    k0, v0 = layer.key_value.bias.chunk(2)
    answer, shares = layer(x, words), layer.weights(x, words)
    for n, row, column in ((0, 0, 0), (1, 3, 2)):
        there = [k for k in range(5) if not words.empty[n, k]]
        q, said = W @ asked[n, :, row, column] + b, words.vectors[n, there]
        keys, values, found = said @ K.T + k0, said @ V.T + v0, []
        for head in range(4):
            part = slice(4 * head, 4 * head + 4)
            share = ((keys[:, part] @ q[part]) / 2).softmax(0)  # sqrt(d) = 2
            found.append(share @ values[:, part])
            torch.testing.assert_close(shares[n, head, row * 3 + column, there], share)
        wanted = x[n, :, row, column] + layer.out.weight[:, :, 0, 0] @ torch.cat(found) + layer.out.bias
        torch.testing.assert_close(answer[n, :, row, column], wanted)


def test_shares_sum_to_one_and_empty_places_get_none(layer):
    words = some_words()
    shares = layer.weights(picture(), words)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 4, 12, dtype=torch.float64))
    assert (shares[1, :, :, 3:] == 0).all() and (shares[0] > 0).all()


def test_the_order_of_the_words_is_not_what_it_looks_at(layer):
    """That is the encoder's business: cross-attention sees a bag of vectors."""
    words, order = some_words(empty=(0, 0)), torch.tensor([3, 0, 4, 2, 1])
    other = Words(words.vectors[:, order], words.empty[:, order])
    torch.testing.assert_close(layer(picture(), other), layer(picture(), words))


def test_what_fills_a_caption_up_does_not_count_in_the_network(net):
    x = torch.randn(2, 3, 16, 16)
    tokens = conditioning.encode(["dog bites man", ""], WORDS)
    before = net(x, T, tokens)
    with torch.no_grad():
        net.label.word.weight[conditioning.PAD] += 1.0
        net.label.place[3:] += 1.0
    torch.testing.assert_close(net(x, T, tokens), before)
    torch.testing.assert_close(net(x, T)[1], before[1])  # no caption is the empty one


def test_the_words_themselves_are_heard(net):
    """With the vector held still, the answer still depends on what the words are."""
    x, tokens = torch.randn(2, 3, 16, 16), conditioning.encode(["dog bites man"] * 2, WORDS)
    plain, read = net(x, T, tokens), net.label.read

    def other_words(said):
        vector, words = read(said)
        return vector, words._replace(vectors=words.vectors.flip(1) * 2)

    net.label.read = other_words
    assert (net(x, T, tokens) - plain).abs().max() > 1e-3


def test_checkpointing_changes_nothing(net):
    x, tokens = torch.randn(2, 3, 16, 16), conditioning.encode(["dog bites man", "man"], WORDS)
    gradients = []
    for net.checkpointing in (False, True):
        net.zero_grad()
        net(x, T, tokens).square().mean().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_network_without_it_is_named_and_described_as_before():
    """What a checkpoint holds does not change for those that have none."""
    plain, reading = UNet(3, (8, 16), vocabulary=WORDS), UNet(3, (8, 16), vocabulary=WORDS, cross_attention=(1,))
    assert "cross_attention" not in plain.config and UNet(**reading.config).config == reading.config
    more = set(reading.state_dict()) - set(plain.state_dict())
    assert set(plain.state_dict()) < set(reading.state_dict()) and all(".reads." in name for name in more)


def test_what_the_network_looks_at_can_be_watched(net):
    tokens = conditioning.encode(["dog bites man", "man"], WORDS)
    with watched(net) as seen:
        net(torch.randn(2, 3, 16, 16), T, tokens)
        net(torch.randn(2, 3, 16, 16), T, tokens)
    net(torch.randn(2, 3, 16, 16), T, tokens)
    assert len(seen) == 2 and seen[0].shape == (2, 1 + conditioning.MAX_WORDS, 8, 8)
    torch.testing.assert_close(seen[1].sum(1), torch.ones(2, 8, 8))
    assert (seen[0][1, 2:] == 0).all() and (seen[0][0, :4] > 0).all()  # the start token, and the words


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="need captions for cross-attention to their words"):
        UNet(3, (8, 16), num_classes=4, cross_attention=(1,))
    with pytest.raises(ValueError, match=r"need attention levels in 0\.\.1, but got"):
        UNet(3, (8, 16), vocabulary=WORDS, cross_attention=(2,))
    with pytest.raises(ValueError, match="need a network with cross-attention to watch"), watched(UNet(3, (8, 16))):
        pass
