"""What ``slowfast-det doctor`` tells."""

from __future__ import annotations

import re
from importlib.metadata import version

import torch


def test_what_is_told(command, monkeypatch, tmp_path):
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path / "home"))
    outcome = command("doctor", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    told = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in outcome.out.splitlines())
    assert f"torch {version('torch')}" in told["packages"]
    assert told["device"].startswith("cpu: ")
    assert told["device"].endswith(f", {torch.get_num_threads()} threads")
    assert told["--precision auto"].startswith("fp32")
    assert told["fp32"].endswith("1.0 times as fast as fp32")
    assert re.fullmatch(r"[\d,]+ ms a small clip, [\d.]+ times as fast as fp32", told["auto"])
    assert told["--batch"].startswith("1 at once")
    assert told["weights"].startswith("0 published ones in ")


def test_devices_that_are_not_there(command):
    assert command("doctor", "--device", "meta").code == 1
    assert "it holds no numbers" in command("doctor", "--device", "meta").err
