"""Memory that stays with the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CODE = """
import sys
from pathlib import Path
import numpy as np
from slowfast_det.allocation import give_freed_memory_back, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] != "plain":
    keep_freed_memory()
before = resident()
numbers = np.ones(40_000_000)
del numbers
if sys.argv[1] == "given back":
    give_freed_memory_back()
print(resident() - before)
"""

_PAGES = """
import resource, sys
from slowfast_det.allocation import use_huge_pages

if sys.argv[1] == "huge":
    use_huge_pages()
import torch

torch.ones(1 << 26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
torch.ones(1 << 26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
_LENT = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not _LENT.exists() or "[madvise]" not in _LENT.read_text(), reason="no huge pages are lent on request"
)
@pytest.mark.parametrize(("way", "fewest", "most"), [("huge", 0, 10_000), ("plain", 60_000, 80_000)])
def test_huge_pages(way, fewest, most):
    environment = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    run = subprocess.run(
        [sys.executable, "-c", _PAGES, way], capture_output=True, text=True, check=True, env=environment
    )
    before, after = map(int, run.stdout.split())
    assert fewest <= after - before <= most  # 65,536 pages of 4 KB, or 128 of 2 MB


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at Linux's /proc")
@pytest.mark.parametrize(("way", "kept"), [("keep", True), ("plain", False), ("given back", False)])
def test_freed_memory_is_kept(way, kept):
    run = subprocess.run([sys.executable, "-c", _CODE, way], capture_output=True, text=True, check=True)
    assert (int(run.stdout) > 300e6) == kept
