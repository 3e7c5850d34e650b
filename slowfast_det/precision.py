"""Arithmetic of networks: full or half precision, and what ``auto`` means on a device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, get_args

from ava_tools.errors import InputError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""``fp32`` is computed step by step as it is written; ``auto`` is on a CPU fp32 made faster, equal
but for rounding, and on a GPU bf16."""


def check_precision(precision: str) -> None:
    """Make sure that a precision is one of the four.

    Raises:
        InputError: it is not.
    """
    if precision not in get_args(Precision):
        raise InputError(f"precision is {precision!r}; {', '.join(get_args(Precision))} are known")


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """What a precision comes to on a device: ``auto`` is bf16 on a GPU that has it, else fp32."""
    import torch

    check_precision(precision)
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


def has_bf16() -> bool:
    """Whether this processor multiplies bf16 numbers itself; others take longer for them than for fp32."""
    import torch

    return any(torch.cpu.get_capabilities().get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16"))
