"""Which number format a network runs in: bfloat16 where the hardware multiplies it natively."""

from __future__ import annotations

from functools import cache

import torch

__all__ = ["autocast", "native_bfloat16"]


@cache
def native_bfloat16(device_type: str) -> bool:
    """Whether matrix products in bfloat16 are native, and so faster than float32.

    Args:
        device_type: `cpu` or `cuda`; other devices answer False.
    """
    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def autocast(device: torch.device, *, enabled: bool = True) -> torch.autocast:
    """Autocast to bfloat16 on `device` where it is native; does nothing elsewhere."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=enabled and native_bfloat16(device.type)
    )
