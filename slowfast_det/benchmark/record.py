"""Figures of a run as a json file, to compare another run with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.settings import read_text
from slowfast_det.benchmark.machine import Machine
from slowfast_det.benchmark.measuring import Measured


@dataclass(frozen=True)
class Record:
    """Figures of another run.

    Attributes:
        machine: its name.
        seconds: of a call, by part, sizes and way.
    """

    machine: str
    seconds: dict[tuple[str, str, str], float]


def save_record(path: Path, machine: Machine, measured: Sequence[Measured]) -> None:
    """Write a run's figures."""
    content = {"machine": machine.as_dict(), "measured": [each.as_dict() for each in measured]}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read what `save_record` wrote.

    Raises:
        InputError: it is no such file.
    """
    try:
        content: Any = json.loads(read_text(path))
        seconds = {(each["part"], each["told"], each["way"]): float(each["median"]) for each in content["measured"]}
        return Record(str(content["machine"]["name"]), seconds)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}: holds no figures; a file of `slowfast-det bench --json` is expected") from None
