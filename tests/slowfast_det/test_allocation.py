"""Memory that stays with the process."""

from __future__ import annotations

import subprocess
import sys

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at Linux's /proc")
@pytest.mark.parametrize(("way", "kept"), [("keep", True), ("plain", False), ("given back", False)])
def test_freed_memory_is_kept(way, kept):
    run = subprocess.run([sys.executable, "-c", _CODE, way], capture_output=True, text=True, check=True)
    assert (int(run.stdout) > 300e6) == kept
