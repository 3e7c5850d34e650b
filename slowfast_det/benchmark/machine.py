"""What a machine can do at all: its largest matrix products, and its copies."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from slowfast_det.benchmark.measuring import Way, seconds_of
from slowfast_det.precision import has_bf16

_SIDE = {"cpu": 4096, "cuda": 8192}  # of the matrices
_BYTES = {"cpu": 1 << 28, "cuda": 1 << 31}
_TRIES = 5


@dataclass(frozen=True)
class Machine:
    """A device and its limits.

    Attributes:
        name: of processor or GPU.
        device: cpu or cuda.
        threads: of torch, on a processor.
        torch: its version.
        gflop_a_second: of a matrix product, by precision: 2 n^3 over the shortest of some tries.
        copy_gb_a_second: bytes read and written.
    """

    name: str
    device: str
    threads: int
    torch: str
    gflop_a_second: dict[str, float]
    copy_gb_a_second: float

    def as_dict(self) -> dict[str, Any]:
        """As json takes it."""
        return asdict(self)


def measured_machine(device: torch.device) -> Machine:
    """Look at a device, which takes seconds."""
    kinds = {"fp32": torch.float32} | dict.fromkeys(half_precisions(device), torch.bfloat16)
    products = {name: _product(device, kind) for name, kind in kinds.items()}
    return Machine(
        machine_name(device),
        device.type,
        torch.get_num_threads(),
        torch.__version__,
        products,
        _copy(device),
    )


def half_precisions(device: torch.device) -> tuple[Literal["bf16"], ...]:
    """Those that a device computes itself, besides fp32."""
    able = has_bf16() if device.type == "cpu" else torch.cuda.is_bf16_supported()
    return ("bf16",) if able else ()


def machine_name(device: torch.device) -> str:
    """What processor or GPU it is."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    features = [name for name, there in torch.cpu.get_capabilities().items() if there is True]
    told = [name for name in ("avx2", "avx512_bf16", "amx_bf16") if name in features]
    return f"{names[0] if names else platform.processor() or platform.machine()}{', ' if told else ''}{', '.join(told)}"


def _product(device: torch.device, kind: torch.dtype) -> float:
    side = _SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(kind) for _ in range(2))
    return 2 * side**3 / _shortest(lambda: left @ right, device) / 1e9


def _copy(device: torch.device) -> float:
    source = torch.zeros(_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return 2 * len(source) / _shortest(lambda: target.copy_(source), device) / 1e9


def _shortest(work: Way, device: torch.device) -> float:
    return min(seconds_of(work, device) for _ in range(_TRIES))
