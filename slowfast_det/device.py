"""What computes: a processor or a GPU, by name."""

from __future__ import annotations

import torch

from ava_tools.errors import InputError


def resolve_device(name: str) -> torch.device:
    """``auto`` or a device that this machine has.

    Raises:
        InputError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("it holds no numbers")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as problem:
        reason = str(problem).splitlines()[0].rstrip(".")
        raise InputError(f"device {name!r} cannot be used ({reason}); auto, cpu or cuda is expected") from None
    return device
