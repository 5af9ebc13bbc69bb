"""Public checkpoints of RRDB networks: ESRGAN, BSRGAN, Real-ESRGAN and those trained with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from preprocessing.errors import MissingFileError, ModelFolderError
from sr.network.rrdb import RRDBNet

__all__ = ["read_public_checkpoint", "read_state_dict"]

_PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".pkl")
_WRAPPERS = ("params_ema", "params", "state_dict", "net_g", "generator", "model")
_PREFIXES = ("module.", "params_ema.", "params.", "generator.", "net_g.", "netG.", "module.")
_COUNTERS = ("n_averaged", "module.n_averaged")
_UNSHUFFLED = {12: 2, 48: 1}

# What reading a damaged file raises: torch's own unpickler trusts it to be well formed.
_DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    EOFError,
    SafetensorError,
)

# ESRGAN's first release: positions in nested nn.Sequential.
_FIRST_RELEASE = {
    "model.0": "conv_first",
    "model.3": "conv_up1",
    "model.6": "conv_up2",
    "model.8": "conv_hr",
    "model.10": "conv_last",
}
# Its rewritten architecture, which BSRGAN has too.
_REWRITTEN = {
    "trunk_conv": "conv_body",
    "upconv1": "conv_up1",
    "upconv2": "conv_up2",
    "HRconv": "conv_hr",
}
_TRUNK = re.compile(r"model\.1\.sub\.(\d+)\.(weight|bias)")
_DENSE = re.compile(
    r"(?:model\.1\.sub|RRDB_trunk|body)\.(\d+)\.(?:RDB|rdb)([123])\.conv([1-5])(?:\.0)?\.(weight|bias)"
)


def read_public_checkpoint(path: str | Path, *, allow_pickle: bool = False) -> RRDBNet:
    """Load a checkpoint of an RRDB network that enlarges by four, strictly.

    Blocks, features, growth and channels follow from the shapes. Three sets of names are known:
    ESRGAN's first release (`model.1.sub.0.RDB1.conv1.0`), its rewritten architecture
    (`RRDB_trunk.0.RDB1.conv1`), and BasicSR and Real-ESRGAN (`body.0.rdb1.conv1`), alone or under
    `params_ema`, `params`, `state_dict`, `net_g`, `generator` or `model`, or with such a prefix.

    Args:
        path: Safetensors, or with `allow_pickle` what `torch.save` writes.
        allow_pickle: Read pickles too, restricted to tensors (`weights_only`).

    Returns:
        The network in float32, without global skip.

    Raises:
        MissingFileError: No such file.
        ModelFolderError: A pickle without `allow_pickle`, a damaged file, or another network.
    """
    path = Path(path)
    return _network_of(read_state_dict(path, allow_pickle=allow_pickle), path)


def read_state_dict(path: Path, *, allow_pickle: bool = False) -> dict[str, Tensor]:
    """Read named tensors from a file; `params_ema`, `params` and `state_dict` are unwrapped.

    Raises:
        MissingFileError: No such file.
        ModelFolderError: A pickle without `allow_pickle`, or a file that cannot be read.
    """
    if not path.is_file():
        raise MissingFileError(f"expected a checkpoint, found no file at {path}")
    try:
        if not _is_pickle(path):
            return load_file(path)
        if not allow_pickle:
            raise ModelFolderError(
                f"expected weights as safetensors, got a pickle: {path}; a pickle can run code "
                "when it is read. Convert it, or give --allow-pickle if you trust its source"
            )
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as err:
        raise ModelFolderError(
            f"expected a file of tensors alone, got other objects in {path}; they could run code "
            "and are not read. Choose another file"
        ) from err
    except _DAMAGED as err:
        reason = (str(err).splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"expected the weights of a network in {path}, got: {reason}; download it again"
        ) from err
    return _tensors(stored, path)


def _network_of(state: Mapping[str, Tensor], source: Path) -> RRDBNet:
    """The network of a state dict with any of the known names, see `read_public_checkpoint`.

    Raises:
        ModelFolderError: It is another network.
    """
    named = _adapted(state)
    blocks = {int(key.split(".")[1]) for key in named if re.match(r"body\.\d+\.rdb1\.", key)}
    outer = [named.get(f"{name}.weight") for name in ("conv_first", "conv_last")]
    growing = named.get("body.0.rdb1.conv1.weight")
    if not blocks or growing is None or any(w is None or w.ndim != 4 for w in (*outer, growing)):
        raise ModelFolderError(
            f"expected the weights of an RRDB network that enlarges by 4 (RRDB_ESRGAN_x4, "
            f"RealESRGAN_x4plus, BSRGAN) in {source}, got {_some(state)}"
        )
    first, last = (weight for weight in outer if weight is not None)
    in_channels, out_channels = first.shape[1], last.shape[0]
    if in_channels in _UNSHUFFLED and out_channels == 3:
        raise ModelFolderError(
            f"expected a network that enlarges by 4, got one that enlarges by "
            f"{_UNSHUFFLED[in_channels]} ({in_channels} input channels) in {source}; choose a "
            "4x checkpoint such as RealESRGAN_x4plus, and --outscale for other sizes"
        )
    network: RRDBNet = RRDBNet(
        in_channels=in_channels,
        out_channels=out_channels,
        num_blocks=len(blocks),
        num_features=first.shape[0],
        growth_channels=growing.shape[0],
        global_skip=False,
    )
    try:
        network.load_state_dict(named)
    except RuntimeError as err:
        reason = " ".join(line.strip() for line in str(err).splitlines()[1:3])
        raise ModelFolderError(
            f"expected the weights of an RRDB network that enlarges by 4 in {source}, got "
            f"others: {reason[:300]}"
        ) from err
    return network


def _adapted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of a public checkpoint to ours; unknown names stay as they are."""
    kept = {key: value for key, value in state.items() if key not in _COUNTERS}
    for prefix in _PREFIXES:
        if any(key.startswith(prefix) for key in kept):
            # What is beside the generator is its critic, or an older copy.
            own = {key: value for key, value in kept.items() if key.startswith(prefix)}
            kept = {key.removeprefix(prefix): value for key, value in own.items()}
    return {_our_name(key): value for key, value in kept.items()}


def _our_name(key: str) -> str:
    dense = _DENSE.fullmatch(key)
    if dense:
        block, rdb, conv, kind = dense.groups()
        return f"body.{block}.rdb{rdb}.conv{conv}.{kind}"
    trunk = _TRUNK.fullmatch(key)
    if trunk:
        return f"conv_body.{trunk[2]}"
    module, _, kind = key.rpartition(".")
    return f"{_FIRST_RELEASE.get(module) or _REWRITTEN.get(module) or module}.{kind}"


def _tensors(stored: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(stored, Mapping) and isinstance(stored.get(wrapper), Mapping):
            stored = stored[wrapper]
            break
    if not isinstance(stored, Mapping) or not all(isinstance(v, Tensor) for v in stored.values()):
        raise ModelFolderError(
            f"expected a state dict in {path}, alone or under {', '.join(_WRAPPERS)}, got "
            f"{_some(stored) if isinstance(stored, Mapping) else type(stored).__name__}"
        )
    return {str(key): value for key, value in stored.items()}


def _some(state: Mapping[Any, Any]) -> str:
    names = ", ".join(str(key) for key in list(state)[:3])
    return f"{len(state)} entries ({names} ...)" if names else "nothing"


def _is_pickle(path: Path) -> bool:
    """By content first: a pickle stays one under another name."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[8:] == b"{":  # The header of safetensors, after its length.
        return False
    return path.suffix.lower() in _PICKLES or head[:2] == b"PK" or head[:1] == b"\x80"
