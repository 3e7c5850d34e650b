"""Arithmetic of networks: full or half precision, and what ``auto`` means on a device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """``auto``: the exact fp32 on a CPU, bf16 on a GPU that has it."""
    import torch

    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def half_type(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The type of numbers that a precision means on a device; None for fp32."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(resolve_precision(precision, device))


def arithmetic(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The block in which a network computes with a precision."""
    import torch

    kind = half_type(precision, device)
    return nullcontext() if kind is None else torch.autocast(device.type, dtype=kind)
