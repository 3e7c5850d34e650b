"""What all tests share."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "fixtures"))  # golden.py


@pytest.fixture(scope="session")
def data_pipeline():
    """Golden numbers of PySlowFast's data pipeline."""
    return json.loads((HERE / "fixtures" / "data_pipeline.json").read_text())
