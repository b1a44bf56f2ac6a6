"""The U-Net: shapes, a silent start, living embeddings, attention over the right axis, and what it refuses."""

import pytest
import torch
from torch import nn
from torch.profiler import profile

from ddpm_core.networks.flops import parameter_count
from ddpm_core.unet import Attention, ResidualBlock, SinusoidalEmbedding, UNet


def woken(net):
    """The same network with every weight moved away from its start, so that nothing is zero any more."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


@pytest.mark.parametrize(
    ("config", "side"),
    [
        (dict(in_channels=1, channels=(16, 24)), (8, 8)),
        (dict(in_channels=3, channels=(16, 24, 32), attention=(1, 2), blocks=2), (8, 12)),
        (dict(in_channels=4, channels=(16,), attention=()), (5, 7)),
        (dict(in_channels=1, channels=(16, 24, 24), patch=2, num_classes=3), (16, 8)),
        (dict(in_channels=3, channels=(16, 24), patch=2, heads=8, dropout=0.1), (12, 4)),
    ],
)
def test_the_answer_has_the_shape_of_the_question(config, side):
    net = woken(UNet(**config))
    x = torch.randn(2, config["in_channels"], *side)
    assert net(x, torch.tensor([1, 1000])).shape == x.shape
    assert net.config == dict(UNet(**net.config).config)  # it can be built again from its own description


@pytest.mark.parametrize("patch", [1, 2])
def test_a_fresh_network_answers_zero(patch):
    net = UNet(3, (16, 24), patch=patch, num_classes=4)
    answer = net(torch.randn(2, 3, 8, 8), torch.tensor([1, 500]), torch.tensor([0, 3]))
    assert (answer == 0).all()


def test_a_fresh_block_and_fresh_attention_pass_their_input_on():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(ResidualBlock(16, 16, 8, heads=4)(x, torch.randn(2, 8)), x)
    assert torch.equal(Attention(16, 4)(x), x)


def test_a_residual_block_is_its_formula():
    """Norm, SiLU, conv; norm, (1 + scale) and shift, SiLU, conv; plus what came in, by a 1x1 where widths differ."""
    block, x, c = (
        woken(ResidualBlock(16, 24, 6)).double(),
        torch.randn(2, 16, 5, 4).double(),
        torch.randn(2, 6).double(),
    )

    def silu(a):
        return a / (1 + torch.exp(-a))

    def normed(layer, a):
        groups = a.reshape(2, 8, -1)
        mean, variance = groups.mean(2, keepdim=True), groups.var(2, keepdim=True, unbiased=False)
        a = ((groups - mean) / (variance + 1e-5).sqrt()).reshape(a.shape)
        return a * layer.weight[:, None, None] + layer.bias[:, None, None]

    def conv(layer, a):
        return nn.functional.conv2d(a, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)

    scale, shift = (silu(c) @ block.condition.weight.T + block.condition.bias)[..., None, None].split(24, dim=1)
    h = conv(block.conv1, silu(normed(block.norm1, x)))
    h = conv(block.conv2, silu((1 + scale) * normed(block.norm2, h) + shift))
    torch.testing.assert_close(block(x, c), conv(block.shortcut, x) + h, rtol=0, atol=1e-10)


def test_time_changes_the_answer_for_each_image_alone():
    net, x = woken(UNet(1, (16, 24))), torch.randn(3, 1, 8, 8)
    a, b = net(x, torch.tensor([10, 20, 30])), net(x, torch.tensor([10, 700, 30]))
    assert not torch.allclose(a[1], b[1], atol=1e-3)
    torch.testing.assert_close(a[[0, 2]], b[[0, 2]], rtol=0, atol=1e-5)


def test_the_label_changes_the_answer_for_each_image_alone():
    net, x, t = woken(UNet(1, (16, 24), num_classes=5)), torch.randn(3, 1, 8, 8), torch.tensor([10, 20, 30])
    a, b = net(x, t, torch.tensor([0, 1, 2])), net(x, t, torch.tensor([0, 4, 2]))
    assert not torch.allclose(a[1], b[1], atol=1e-3)
    torch.testing.assert_close(a[[0, 2]], b[[0, 2]], rtol=0, atol=1e-5)


def test_no_labels_means_the_label_none_given():
    net, x, t = woken(UNet(1, (16, 24), num_classes=5)), torch.randn(2, 1, 8, 8), torch.tensor([10, 20])
    assert torch.equal(net(x, t), net(x, t, torch.tensor([5, 5])))
    assert not torch.allclose(net(x, t), net(x, t, torch.tensor([4, 0])), atol=1e-3)


def test_every_residual_block_hears_of_time_in_its_scale_and_in_its_shift():
    """Silence one half of one block's condition at a time: the answer changes, so none of them is dead."""
    net, x, t = woken(UNet(1, (16, 24), blocks=2)), torch.randn(1, 1, 8, 8), torch.tensor([300])
    whole = net(x, t)
    blocks = [m for m in net.modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 2 * 2 * 2 + 2
    for block in blocks:
        kept = block.condition.weight.data.clone()
        for half in block.condition.weight.data.chunk(2):
            half.zero_()
            assert not torch.allclose(net(x, t), whole, atol=1e-4)
            block.condition.weight.data.copy_(kept)


def test_every_skip_is_used():
    """Cut what the way up takes of each skip: the answer changes."""
    net, x, t = woken(UNet(1, (16, 24), blocks=2)), torch.randn(1, 1, 8, 8), torch.tensor([300])
    whole = net(x, t)
    for block in (block for level in net.up for block in level):
        width = block.conv1.in_channels // 2
        kept = block.shortcut.weight.data.clone()
        block.shortcut.weight.data[:, width:] = 0
        assert not torch.allclose(net(x, t), whole, atol=1e-4)
        block.shortcut.weight.data.copy_(kept)


def test_gradient_reaches_every_weight_after_a_few_steps():
    net = UNet(1, (16, 24, 32), num_classes=3, attention=(0, 1, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    x, t, labels = torch.randn(6, 1, 8, 8), torch.tensor([1, 5, 50, 200, 500, 1000]), torch.tensor([0, 1, 2, 3, 0, 1])
    for _ in range(5):
        optimizer.zero_grad()
        ((net(x, t, labels) - x) ** 2).mean().backward()
        optimizer.step()
    silent = [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-9]
    assert silent == []


def test_attention_asks_every_pixel_and_knows_no_order():
    """Shuffle the pixels and the answer is shuffled; change one pixel and every other notices."""
    layer, x = woken(Attention(16, 4)).double(), torch.randn(2, 16, 3, 4, dtype=torch.float64)
    order = torch.randperm(12)
    shuffled = layer(x.flatten(2)[..., order].reshape(2, 16, 3, 4))
    torch.testing.assert_close(shuffled.flatten(2), layer(x).flatten(2)[..., order], rtol=0, atol=1e-12)
    changed = x.clone()
    changed[0, :, 1, 2] += 1
    moved = (layer(changed) - layer(x)).abs().amax(1)
    assert (moved[0] > 1e-12).all() and (moved[1] == 0).all()


def test_what_attention_mixes_are_weights_that_sum_to_one_over_the_keys():
    """With the same value at every pixel, any average of values is that value, wherever the queries look."""
    layer, x = woken(Attention(16, 4)).double(), torch.randn(2, 16, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.qkv.weight[:32] *= 20  # sharp, so that a sum over the wrong axis would be far from one
        layer.qkv.weight[32:] = 0
        layer.out.weight.copy_(torch.eye(16)[..., None, None])
        layer.out.bias.zero_()
    value = layer.qkv.bias[32:].detach()[:, None, None]
    torch.testing.assert_close(layer(x) - x, value.expand_as(x), rtol=0, atol=1e-12)


def test_the_weights_of_attention_are_those_of_the_fast_path():
    """softmax(q k^T / sqrt(d)) in plain words, and its average of the values is what the layer adds."""
    layer, x = woken(Attention(16, 4)).double(), torch.randn(2, 16, 3, 4, dtype=torch.float64)
    q, k, v = (part.flatten(2).reshape(2, 4, 4, 12) for part in layer.qkv(layer.norm(x)).chunk(3, dim=1))
    scores = torch.einsum("bhcq,bhck->bhqk", q, k) / 2  # d = 4
    expected = scores.exp() / scores.exp().sum(-1, keepdim=True)
    weights = layer.weights(x)
    torch.testing.assert_close(weights, expected, rtol=0, atol=1e-12)
    mixed = torch.einsum("bhqk,bhck->bhcq", weights, v).reshape(2, 16, 3, 4)
    torch.testing.assert_close(layer(x), x + layer.out(mixed), rtol=0, atol=1e-12)


def test_each_head_of_attention_minds_its_own_channels():
    """A query of head 0 changes what head 0 reads, and nothing else."""
    layer, x = woken(Attention(16, 4)).double(), torch.randn(1, 16, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.out.weight.copy_(torch.eye(16)[..., None, None])
        before = layer(x)
        layer.qkv.weight[:4] += 1.0
        moved = (layer(x) - before).abs().amax((0, 2, 3))
    assert (moved[:4] > 1e-6).all() and (moved[4:] == 0).all()


def test_the_time_embedding_turns_by_a_fixed_angle_per_step():
    """t -> t + 1 rotates each (sin, cos) pair: lengths stay, and every frequency keeps its own angle."""
    embed = SinusoidalEmbedding(16)
    t = torch.arange(0, 100)
    sines, cosines = embed(t).double().chunk(2, dim=1)
    torch.testing.assert_close(sines**2 + cosines**2, torch.ones(100, 8).double(), rtol=0, atol=1e-5)
    turn = (sines[1:] * cosines[:-1] - cosines[1:] * sines[:-1]).asin()
    falling = 10_000.0 ** (-torch.arange(8).double() / 8)
    torch.testing.assert_close(turn[:, 1:], falling[1:].expand(99, 7), rtol=1e-2, atol=1e-5)
    assert embed(t).unique(dim=0).shape[0] == 100  # no two times look alike


def test_the_embedding_is_sines_and_cosines_at_falling_frequencies():
    t = torch.tensor([0, 1, 7, 1000])
    omega = 10_000.0 ** (-torch.arange(8).double() / 8)
    expected = torch.cat([(t[:, None] * omega).sin(), (t[:, None] * omega).cos()], dim=1)
    torch.testing.assert_close(SinusoidalEmbedding(16)(t).double(), expected, rtol=0, atol=2e-4)  # float32 at t = 1000


@pytest.mark.parametrize("steps", [1, 10, 250])
def test_from_one_time_to_another_the_embedding_turns_whatever_the_time(steps):
    """e(t + s) is e(t) turned by omega s in each pair, so that e(t) . e(t + s) is the same for all t."""
    embed, t = SinusoidalEmbedding(16), torch.arange(0, 700, 50)
    sines, cosines = embed(t).double().chunk(2, dim=1)
    angle = steps * 10_000.0 ** (-torch.arange(8).double() / 8)
    turned = torch.cat(
        [sines * angle.cos() + cosines * angle.sin(), cosines * angle.cos() - sines * angle.sin()], dim=1
    )
    torch.testing.assert_close(embed(t + steps).double(), turned, rtol=0, atol=2e-4)
    alike = (embed(t).double() * embed(t + steps)).sum(1)
    torch.testing.assert_close(alike, angle.cos().sum().expand_as(alike), rtol=0, atol=1e-3)


def test_a_patch_trades_pixels_for_channels():
    whole, halved = UNet(1, (16, 24), patch=1), UNet(1, (16, 24), patch=2)
    assert (whole.multiple, halved.multiple) == (2, 4)
    seen = []
    halved.stem.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    halved(torch.zeros(1, 1, 8, 8), torch.tensor([1]))
    assert seen == [(1, 4, 4, 4)]


def test_dropout_acts_in_training_only():
    net = woken(UNet(1, (16, 24), dropout=0.5))
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([3])
    assert torch.equal(net(x, t), net(x, t))
    assert not torch.equal(net.train()(x, t), net(x, t))


def gradients(net, checkpointing, dropout_seed=0):
    """The answer, the gradient of a loss on it by name, and the most bytes that were alive at once on the way."""
    net.checkpointing = checkpointing
    x, t = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(3)), torch.tensor([1, 20, 300, 1000])
    net.zero_grad()
    torch.manual_seed(dropout_seed)
    with profile(profile_memory=True) as trace:
        answer = net(x, t)
        (answer**2).mean().backward()
    changes = [e for e in trace.profiler.kineto_results.events() if e.name() == "[memory]"]
    alive = torch.tensor([e.nbytes() for e in sorted(changes, key=lambda e: e.start_ns())]).cumsum(0)
    return answer, {name: p.grad for name, p in net.named_parameters()}, int(alive.max())


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_checkpointing_keeps_answers_and_gradients_and_needs_less_memory(dropout):
    net = woken(UNet(1, (16, 24), blocks=2, dropout=dropout)).train()
    plain_answer, plain, plain_bytes = gradients(net, False)
    answer, found, found_bytes = gradients(net, True)
    assert torch.equal(answer, plain_answer)
    assert [name for name in plain if not torch.equal(found[name], plain[name])] == []
    assert found_bytes < 0.5 * plain_bytes
    if dropout:
        assert not torch.equal(gradients(net, True, dropout_seed=1)[0], answer)  # it was on


def test_checkpointing_is_no_part_of_the_network():
    """It can be set at any time: the same weights, the same description, and nothing at all where none is trained."""
    net, plain = UNet(1, (16, 24), num_classes=3), UNet(1, (16, 24), num_classes=3)
    net.checkpointing = True
    assert not plain.checkpointing and net.config == plain.config
    assert net.state_dict().keys() == plain.state_dict().keys()
    plain.load_state_dict(woken(net).state_dict())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 400])
    with torch.no_grad():
        assert torch.equal(net(x, t), plain.eval()(x, t))


def test_parameters_that_rest_are_not_counted():
    layer = nn.Linear(3, 4)
    assert parameter_count(layer) == 16
    layer.bias.requires_grad_(False)
    assert parameter_count(layer) == 12


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(in_channels=2), "1, 3 or 4 image channels, but got 2"),
        (dict(channels=(12, 24)), "multiples of 8"),
        (dict(channels=()), "level widths"),
        (dict(channels=(24, 40), heads=5), "heads = 5"),
        (dict(heads=0), "need heads as a whole number from 1 to 1,000,000, but got 0"),
        (dict(channels=(0, 8)), "multiples of 8"),
        (dict(blocks=0), "need blocks as a whole number from 1"),
        (dict(patch=0), "need patch as a whole number from 1"),
        (dict(channels=(16, 24), attention=(2,)), r"attention levels in 0\.\.1"),
        (dict(channels=(16, 24), attention=(-1,)), "attention levels"),
    ],
)
def test_a_network_that_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        UNet(**config)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 16, 16), r"need images \(B, 1, H, W\).*\(2, 3, 16, 16\)"),
        ((2, 16, 16), r"need images \(B, 1, H, W\)"),
        ((2, 1, 28, 30), "divisible by 8, but got 28x30; pad to 32x32"),
        ((2, 1, 16, 9), "pad to 16x16"),
    ],
)
def test_images_that_do_not_fit_are_refused_and_told_what_would(shape, message):
    with pytest.raises(ValueError, match=message):
        UNet(1, (16, 24, 24), patch=2)(torch.zeros(shape), torch.tensor([1, 2]))


def test_wrong_times_labels_and_dtypes_are_refused():
    net, plain = UNet(1, (16, 24), num_classes=3), UNet(1, (16, 24))
    x, t = torch.zeros(2, 1, 8, 8), torch.tensor([1, 2])
    with pytest.raises(ValueError, match=r"floating-point images.*to_float"):
        net(x.to(torch.uint8), t)
    with pytest.raises(ValueError, match=r"one time per image: t has shape \(1,\), but the batch has 2"):
        net(x, t[:1])
    with pytest.raises(ValueError, match="need one label for each of"):
        net(x, t, torch.tensor([1]))
    with pytest.raises(ValueError, match="told classes or captions, but this one is not"):
        plain(x, t, torch.tensor([1, 2]))


def test_room_for_a_variance_changes_the_last_layer_alone():
    """Names stay, so that checkpoints of before load; shapes of all but the head, too."""
    plain, both = UNet(3, (8, 16), patch=2), UNet(3, (8, 16), patch=2, out_channels=6)
    shapes = [{name: tuple(p.shape) for name, p in net.state_dict().items()} for net in (plain, both)]
    assert shapes[0].keys() == shapes[1].keys()
    other = {name for name in shapes[0] if shapes[0][name] != shapes[1][name]}
    assert other == {"head.2.weight", "head.2.bias"}
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([3, 700])
    assert both(x, t).shape == (2, 6, 8, 8) and UNet(**both.config)(x, t).shape == (2, 6, 8, 8)
    without = {name: value for name, value in plain.config.items() if name != "out_channels"}
    assert UNet(**without).config == plain.config
