"""Networks whose answers are no numbers: they would find nobody, and say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ava_tools.errors import InputError
from slowfast_det.precision import Precision, resolve_precision


@contextmanager
def finite_answers(parts: Iterable[nn.Module], name: str, precision: Precision, device: torch.device) -> Iterator[None]:
    """A block in which parts of a network must answer with numbers.

    Args:
        parts: those that score and correct boxes: whatever is wrong before them shows in what they say.
        name: what to call the detector in an error.
        precision, device: in what, and where it computes.

    Raises:
        InputError: one answers with NaN or an infinity.
    """

    def check(_: nn.Module, inputs: Any, output: Any) -> None:
        if not torch.stack([each.isfinite().all() for each in _tensors(output)]).all():
            narrow = resolve_precision(precision, device) == "fp16"
            why = " in fp16; precision fp32 or bf16 is expected" if narrow else "; its weights are damaged"
            raise InputError(f"{name}: its answers are no finite numbers{why}")

    handles = [part.register_forward_hook(check) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of an answer: one, or some in containers."""
    if isinstance(output, Tensor):
        yield output
    else:
        for each in output:
            yield from _tensors(each)
