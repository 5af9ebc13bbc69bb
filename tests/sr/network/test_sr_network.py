"""RRDBNet, its growth, the discriminator and the losses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from preprocessing.errors import LandcastError, ModelFolderError
from preprocessing.simulator import WorldConfig, simulate_world
from sr.network.checkpoints import save_half
from sr.network.discriminator import PatchDiscriminator
from sr.network.inference import upscale_batch
from sr.network.pretrained import load_network
from sr.network.rrdb import ResidualDenseBlock, RRDBNet, bicubic_upsample, grow
from sr.training.degradations import Degradation
from sr.training.losses import discriminator_loss, feature_matching_loss, generator_loss


def _network(num_blocks: int = 1, *, global_skip: bool = False, seed: int = 0) -> RRDBNet:
    torch.manual_seed(seed)
    network: RRDBNet = RRDBNet(
        num_blocks=num_blocks, num_features=16, growth_channels=8, global_skip=global_skip
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    network.eval()
    return network


def _image(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_default_network_has_the_published_size() -> None:
    # RRDBNet-23 of the paper has 16.698 M parameters; every block less saves 719,424.
    network = RRDBNet(num_blocks=2)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters + 21 * 719_424 == 16_697_987


@pytest.mark.parametrize("global_skip", [False, True])
def test_upscales_by_four(global_skip: bool) -> None:
    with torch.no_grad():
        assert _network(global_skip=global_skip)(_image(2, 3, 6, 9)).shape == (2, 3, 24, 36)


def test_untrained_network_with_global_skip_is_bicubic() -> None:
    network = RRDBNet(num_blocks=1, global_skip=True)
    image = _image(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(network(image), bicubic_upsample(image, 4))


def test_residual_scaling_is_linear() -> None:
    block = ResidualDenseBlock(8, 4, 0.2)
    image = _image(1, 8, 5, 5)
    with torch.no_grad():
        small = block(image) - image
        block.residual_scale = 0.4
        assert torch.allclose(block(image) - image, 2 * small, atol=1e-6)
        assert small.abs().max() > 1e-3


@pytest.mark.parametrize(("present", "depth"), [(1, 4), (2, 3), (4, 16)])
def test_growth_keeps_the_output(present: int, depth: int) -> None:
    network = _network(present)
    deeper = grow(network, depth)
    image = _image(1, 3, 7, 7)
    with torch.no_grad():
        # New blocks scale by 1.2 each and are undone later: float32 rounding, nothing else.
        assert torch.allclose(deeper(image), network(image), rtol=1e-4, atol=1e-5)
    assert len(deeper.body) == depth
    assert deeper.config.num_blocks == depth


def test_grown_blocks_take_gradients() -> None:
    deeper = grow(_network(1), 2)
    deeper(_image(1, 3, 6, 6)).sum().backward()
    gradient = deeper.get_parameter("body.1.rdb1.conv5.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_growth_cannot_shrink() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        grow(_network(2), 1)


def test_saved_in_half_precision_and_loaded(tmp_path: Path) -> None:
    network = _network(2, global_skip=True)
    save_half(network, tmp_path / "model")
    image = _image(1, 3, 8, 8)
    for loaded in (
        load_network(tmp_path / "model"),
        RRDBNet.from_pretrained(tmp_path / "model", torch_dtype=torch.float32).eval(),
    ):
        assert loaded.config.num_blocks == 2
        assert loaded.conv_first.weight.dtype == torch.float32
        with torch.no_grad():
            # Weights are rounded to 11 significant bits.
            assert (loaded(image) - network(image)).abs().max() < 5e-3


@pytest.mark.parametrize("quality", [15, 60])
def test_compressed_pictures_are_restored_by_their_own_network(quality: int) -> None:
    world = simulate_world(WorldConfig(height=256, width=256, years=1, seed=90_300))
    truth = torch.from_numpy(world.rasters[0].data).float()[None].clamp(0, 1)
    degrade = Degradation(jpeg_share=1.0, jpeg_quality=(quality, quality))
    low = degrade(truth, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        errors = {
            name: float((load_network(name)(low) - truth).square().mean())
            for name in ("rrdb4-jpeg", "rrdb16")
        }
    bicubic = float((bicubic_upsample(low, 4) - truth).square().mean())
    assert errors["rrdb4-jpeg"] < 0.93 * min(bicubic, errors["rrdb16"])


def test_missing_and_damaged_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"found no config\.json"):
        load_network(tmp_path)
    save_half(_network(1), tmp_path)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelFolderError, match="expected the weights"):
        load_network(tmp_path)
    weights.unlink()
    with pytest.raises(ModelFolderError, match="found no diffusion"):
        load_network(tmp_path)


def test_weights_of_another_depth_are_refused(tmp_path: Path) -> None:
    save_half(_network(1), tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"num_blocks": 1', '"num_blocks": 2'))
    with pytest.raises(ModelFolderError, match="Missing key"):
        load_network(tmp_path)


def test_relativistic_losses_mirror_each_other() -> None:
    real, fake = _image(4, 1, 3, 3, seed=2) * 4, _image(4, 1, 3, 3, seed=3) * 4 - 2
    assert torch.equal(generator_loss(real, fake), discriminator_loss(fake, real))
    assert discriminator_loss(real, fake) < discriminator_loss(fake, real)
    same = torch.zeros(2, 1, 3, 3)
    assert discriminator_loss(same, same).item() == pytest.approx(math.log(2))
    # Only differences count: a constant on all logits changes nothing.
    assert torch.allclose(discriminator_loss(real + 7, fake + 7), discriminator_loss(real, fake))


def test_feature_matching_is_a_relative_distance() -> None:
    real = [_image(1, 2, 4, 4), 100 * _image(1, 2, 2, 2)]
    assert feature_matching_loss(real, real).item() == 0
    assert feature_matching_loss(real, [1.1 * x for x in real]).item() == pytest.approx(0.1, 1e-4)
    with pytest.raises(ValueError, match="layers"):
        feature_matching_loss(real, real[:1])


def test_discriminator_learns_to_tell_noise_from_flat() -> None:
    torch.manual_seed(0)
    critic = PatchDiscriminator()
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
    real, fake = _image(4, 3, 32, 32), torch.full((4, 3, 32, 32), 0.5)
    logits, features = critic(real)
    assert logits.shape == (4, 1, 4, 4)
    assert [f.shape[-1] for f in features] == [32, 16, 8, 4]
    losses = []
    for _ in range(15):
        loss = discriminator_loss(critic(real)[0], critic(fake)[0])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_network_that_fails_is_reported() -> None:
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=8, growth_channels=4).eval()
    with torch.no_grad():
        network.conv_last.bias.fill_(float("nan"))
    with pytest.raises(LandcastError, match="finite"):
        upscale_batch(network, torch.rand(1, 3, 8, 8))
