"""A little detector of Detectron2, and what it finds."""

from __future__ import annotations

import pytest
from little_detectron2 import little_arrays, persons, write


@pytest.fixture(scope="session")
def arrays():
    """Its weights, not to be changed."""
    return little_arrays()


@pytest.fixture(scope="session")
def little(arrays, tmp_path_factory):
    return write(tmp_path_factory.mktemp("little") / "little.pkl", arrays)


@pytest.fixture(scope="session")
def expected(little):
    found = persons(little)
    assert len(found.boxes) > 5
    return found
