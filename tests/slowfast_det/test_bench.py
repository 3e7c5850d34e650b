"""Figures of speed: how they are taken and told, not what they are."""

from __future__ import annotations

import json

import cv2
import pytest
import torch

from ava_tools.errors import InputError
from slowfast_det.benchmark.machine import Machine
from slowfast_det.benchmark.measuring import Measured, Part, measure
from slowfast_det.benchmark.record import Record, read_record, save_record

CPU = torch.device("cpu")
MACHINE = Machine("a processor", "cpu", 2, "2.0", {"fp32": 100.0}, 10.0)


def measured(way="fp32", seconds=(1.0, 4.0, 2.0), **changes):
    values = {"part": "network", "told": "x", "unit": "clips", "count": 8, "gflop": 10.0, "times": 1.5, "peak_mb": 7.0}
    return Measured(way=way, seconds=seconds, **(values | changes))


def test_what_is_made_of_seconds():
    found = measured()
    assert (found.median, found.spread, found.rate, found.gflop_a_second) == (2.0, (1.5, 3.0), 4.0, 5.0)
    assert measured(gflop=None).gflop_a_second is None


def test_ways_take_turns(monkeypatch):
    """A call takes as many seconds as the clock says: one of the first way 3, one of the second 1."""
    calls = []
    clock = iter(range(1000))
    monkeypatch.setattr("slowfast_det.benchmark.measuring.perf_counter", lambda: next(clock))

    def slow():
        calls.append("slow")
        next(clock), next(clock)

    part = Part("network", "told", "clips", 2, None, {"slow": slow, "fast": lambda: calls.append("fast")})
    found = measure(part, 4, CPU)
    assert calls == ["slow", "fast"] * 6, "one round warms up, one looks at memory"
    assert [each.seconds for each in found] == [(3, 3, 3, 3), (1, 1, 1, 1)]
    assert [each.times for each in found] == [1, 3]


@pytest.mark.skipif(torch.cuda.is_available(), reason="looks at the memory of the process")
def test_memory_of_each_way():
    def large():
        return float(torch.ones(60_000_000).sum())

    found = {
        each.way: each.peak_mb
        for each in measure(Part("", "", "", 1, None, {"large": large, "small": lambda: 0}), 1, CPU)
    }
    assert found["large"] - found["small"] == pytest.approx(240, abs=30), "MB"


def test_a_record_there_and_back(tmp_path):
    save_record(tmp_path / "figures.json", MACHINE, [measured(), measured("bf16", (0.5,))])
    record = read_record(tmp_path / "figures.json")
    assert record == Record("a processor", {("network", "x", "fp32"): 2.0, ("network", "x", "bf16"): 0.5})
    assert json.loads((tmp_path / "figures.json").read_text())["machine"]["name"] == "a processor"


@pytest.mark.parametrize("text", ["", "[]", '{"measured": [{}]}', '{"measured": 5}', "[" * 10_000])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(InputError, match=r"figures\.json: holds no figures; a file of `slowfast-det bench --json`"):
        read_record(tmp_path / "figures.json")


def test_the_command(command, gallery, tmp_path, monkeypatch):
    monkeypatch.setattr("slowfast_det.benchmark.machine.measured_machine", lambda _: MACHINE)
    options = ["--config", "tiny", "--persons", "small_faster_rcnn", "--film", gallery / "film.mp4", "--rounds", "2"]
    first = command("bench", *options, "--size", "64x96", "--boxes", "2", "--json", tmp_path / "first.json")
    assert first.code == 0, first.err
    for title in (
        "network: untrained tiny, 1 x 64x96, 2 persons each",
        "persons: small",
        "loading: film",
        "predict: untrained tiny, small_faster_rcnn, film",
    ):
        assert title in first.out
    record = json.loads((tmp_path / "first.json").read_text())["measured"]
    ways = {(each["part"], each["way"]) for each in record}
    assert {("network", "fp32"), ("network", "auto"), ("persons", "torchvision"), ("training", "fp32")} <= ways
    assert all(len(each["seconds"]) == 2 and min(each["seconds"]) > 0 for each in record)
    gflop = {each["gflop"] for each in record if each["part"] == "network"}
    assert len(gflop) == 1, "all ways of the network do the same"
    costs = command("bench", "cost", *options, "--picture", tmp_path / "cost.png", "--json", tmp_path / "cost.json")
    assert costs.code == 0, costs.err
    assert costs.paths == [*costs.paths[:-2], "cost.json", "cost.png"]
    assert cv2.imread(str(tmp_path / "cost.png")).std() > 10
    ways = [(each["part"], each["way"]) for each in json.loads((tmp_path / "cost.json").read_text())["measured"]]
    assert [way for part, way in ways if part == "boxes of a key frame"][-1] == "100 boxes"
    assert [way for part, way in ways if part == "length of the film"] == ["0.4 s", "0.8 s", "1.5 s", "3 s"]
    assert len(ways) == 13
    again = command("bench", "loading", *options, "--size", "64x96", "--against", tmp_path / "first.json")
    assert again.code == 0, again.err
    assert "than before" in again.out
    assert "network:" not in again.out
    assert "warning" not in again.err
    record = json.loads((tmp_path / "first.json").read_text())
    record["machine"]["name"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(record))
    other = command(
        "bench", "network", *options, "--size", "64x96", "--boxes", "1", "--against", tmp_path / "other.json"
    )
    assert "other.json is of another machine: another" in " ".join(other.err.split())
    assert "other.json has no figures of the same: network, untrained tiny" in " ".join(other.err.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--size", "64"], "HEIGHTxWIDTH is expected"),
        (["--size", "8x64"], "each from 32 to 4096"),
        (["--persons", "yolo"], "--persons is 'yolo'"),
        (["--picture", "cost.png"], "--picture is of the part cost"),
        (["cost", "--picture", "cost.pdf"], "a .png or .svg file is expected"),
    ],
)
def test_misuse(command, options, sentence):
    outcome = command("bench", "network", *options)
    assert outcome.code == 2
    assert sentence in outcome.err
