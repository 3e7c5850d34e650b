"""What the packaging promises: light start-up, lazy names, data files in place."""

from __future__ import annotations

import subprocess
import sys

import pytest

import slowfast_det
from ava_tools import ava_labels
from slowfast_det.config import config_names

HEAVY = {"torch", "torchvision", "cv2", "pandas", "av", "supervision", "matplotlib"}


def loaded_by(code):
    report = f"import sys; {code}; print('\\n'.join(sorted(name for name in sys.modules if '.' not in name)))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            "slowfast_det.cli.main import app; app(['--help'], result_action='return_value')", id="slowfast-det"
        ),
        pytest.param("ava_tools.cli.main import app; app(['--help'], result_action='return_value')", id="ava-tools"),
        pytest.param(
            "slowfast_det.cli.main import app; app(['predict', '--help'], result_action='return_value')", id="predict"
        ),
    ],
)
def test_help_imports_nothing_heavy(command):
    assert loaded_by(f"from {command}") & HEAVY == set()


def test_importing_the_packages_costs_nothing():
    assert loaded_by("import slowfast_det, ava_tools") & HEAVY == set()


def test_ava_tools_never_loads_torch():
    modules = "ava_tools.tables, ava_tools.media.reader, ava_tools.media.writer, ava_tools.media.draw"
    assert "torch" not in loaded_by(f"import {modules}")


def test_evaluating_never_loads_torch(tmp_path):
    (tmp_path / "truth.csv").write_text("a,1,0.1,0.1,0.5,0.9,12\n")
    (tmp_path / "found.csv").write_text("a,1,0.1,0.1,0.5,0.9,12,0.9\n")
    arguments = ["evaluate", "--truth", str(tmp_path / "truth.csv"), "--detections", str(tmp_path / "found.csv")]
    command = f"from ava_tools.cli.main import app; app({arguments!r}, result_action='return_value')"
    assert {"torch", "cv2", "matplotlib"} & loaded_by(command) == set()


def test_public_names_are_there():
    assert all(getattr(slowfast_det, name) is not None for name in slowfast_det.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        slowfast_det.nothing  # noqa: B018


def test_data_files_are_found():
    assert len(ava_labels()) == 80
    assert sum(action.scored for action in ava_labels()) == 60
    assert "tiny" in config_names()
