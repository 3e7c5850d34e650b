"""Timing several ways to do the same thing, in turn, so that a busy machine disturbs them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from slowfast_det.allocation import give_freed_memory_back

Way = Callable[[], object]


@dataclass(frozen=True)
class Part:
    """Something that can be done in several ways, the first of which the others are compared with.

    Attributes:
        name: network, persons, ...
        told: sizes and the like.
        unit: what is counted: clips, frames, ...
        count: how many of them a call does.
        gflop: multiplications and additions of a call, in billions, if known.
        ways: by name.
    """

    name: str
    told: str
    unit: str
    count: float
    gflop: float | None
    ways: Mapping[str, Way]


@dataclass(frozen=True)
class Measured:
    """How long one way takes.

    Attributes:
        part, told, way, unit, count, gflop: see `Part`.
        seconds: of each call.
        times: how many times as fast as the first way of its part, the median over the rounds.
        peak_mb: the most memory that the process had during a call, where the system tells.
    """

    part: str
    told: str
    way: str
    unit: str
    count: float
    gflop: float | None
    seconds: tuple[float, ...]
    times: float
    peak_mb: float | None

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> tuple[float, float]:
        """Quartiles of the seconds of a call."""
        low, high = np.percentile(self.seconds, (25, 75))
        return float(low), float(high)

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.count / self.median

    @property
    def gflop_a_second(self) -> float | None:
        """Billions of multiplications and additions a second."""
        return None if self.gflop is None else self.gflop / self.median

    def as_dict(self) -> dict[str, Any]:
        """As json takes it."""
        return {**asdict(self), "median": self.median, "rate": self.rate}


def measure(part: Part, rounds: int, device: torch.device) -> list[Measured]:
    """Call every way of a part once a round, after a round that only warms up and one that looks at memory."""
    spent: dict[str, list[float]] = {name: [] for name in part.ways}
    for way in part.ways.values():
        seconds_of(way, device)
    peaks = {name: _peak_mb(way, device) for name, way in part.ways.items()}
    for _ in range(rounds):
        for name, way in part.ways.items():
            spent[name].append(seconds_of(way, device))
    first = np.array(next(iter(spent.values())))
    return [
        Measured(
            part.name,
            part.told,
            name,
            part.unit,
            part.count,
            part.gflop,
            tuple(seconds),
            float(np.median(first / seconds)),
            peaks[name],
        )
        for name, seconds in spent.items()
    ]


def seconds_of(way: Way, device: torch.device) -> float:
    """Call something and wait for it."""
    begin = perf_counter()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - begin


def _peak_mb(way: Way, device: torch.device) -> float | None:
    """Of a GPU's memory, or on Linux of the process; None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        way()
        return torch.cuda.max_memory_allocated(device) / 1e6
    gc.collect()
    give_freed_memory_back()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    except OSError:
        return None
    way()
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6
