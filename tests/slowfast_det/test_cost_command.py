"""``slowfast-det models --cost``: tables, json, settings, and what it refuses."""

from __future__ import annotations

import json

import pytest

from slowfast_det.config import config_names

PUBLISHED = "pytorchvideo_slowfast_r50_8x8_ava22"


@pytest.fixture
def cost(command, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments):
        return command("models", "--cost", *arguments)

    return call


def lines(text):
    return [line.split() for line in text.splitlines()]


def test_all_configs(cost):
    done = cost()
    assert (done.code, done.err) == (0, "")
    found = lines(done.out)
    assert {line[0] for line in found if line} >= set(config_names())
    for line in (
        ["kinetics_slowfast_r50_4x16", "32x224^2", "34.48", "27.64"],
        ["kinetics_slowfast_r50_4x16", "32x256^2", "34.48", "36.10"],
        ["kinetics_slowfast_r50_8x8", "32x256^2", "34.57", "65.71"],
        ["slowfast_r50_8x8", "32x224^2", "33.83", "74.18"],
    ):
        assert line in found
    assert "counted with one person" in done.out


def test_stages(cost):
    done = cost("kinetics_slowfast_r50_4x16", "--size", "224")
    title, _, *table = [" ".join(line.split()) for line in done.out.splitlines()]
    assert title == "kinetics_slowfast_r50_4x16: 32x224^2, 34.48 M parameters, 27.64 G multiply-adds"
    assert table[2] == "conv1 slow 1x7^2, 64, stride 1, 2^2 64 4x112^2 9,536 472.1"
    assert table[3] == "fast 5x7^2, 8, stride 1, 2^2 8 32x112^2 5,896 2,360.3"
    assert ["all", "34,480,216", "27,638.7"] in lines(done.out)
    assert "one person" not in done.out


@pytest.mark.parametrize(("size", "sizes"), [(None, ["224^2", "256^2"]), ("256x340", ["256x340"]), ("240", ["240^2"])])
def test_sizes(cost, size, sizes):
    done = cost("kinetics_slow_r50_4x16", *([] if size is None else ["--size", size]))
    titles = [line.split()[1] for line in done.out.splitlines() if line.startswith("kinetics_slow")]
    assert titles == [f"4x{each}," for each in sizes]


def test_json(cost, tmp_path):
    done = cost("tiny", "network.width=32", "--size", "64x96", "--json")
    (record,) = json.loads(done.out)
    assert (record["name"], record["settings"], record["clip"], record["persons"]) == (
        "tiny",
        ["network.width=32"],
        [8, 64, 96],
        1,
    )
    assert sum(stage["parameters"] for stage in record["stages"]) == record["parameters"]
    assert record["stages"][2]["kernels"] == ["1x7^2, 32, stride 1, 2^2"]
    kept = tmp_path / "cost.json"
    kept.write_text("mine")
    again = cost("tiny", "network.width=32", "--size", "64x96", "--out", kept)
    assert (again.code, again.out.splitlines()[-1]) == (0, str(tmp_path / "cost-2.json"))
    assert kept.read_text() == "mine"
    assert json.loads((tmp_path / "cost-2.json").read_text()) == [record]
    both = cost("tiny", "--json", "--out", tmp_path / "other.json")
    assert json.loads(both.out) == json.loads((tmp_path / "other.json").read_text())


def test_a_file_of_settings(cost, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "clip: {num_frames: 4, sampling_rate: 2, short_side: 64}\n"
        "network: {architecture: c2d, depth: 14, width: 8, num_actions: 5}\n"
    )
    done = cost("mine.yaml")
    assert done.out.startswith("mine.yaml: 4x64^2, ")
    assert "RoIAlign 7^2, max; fc 5" in done.out


def test_published_weights_are_not_fetched(cost, tmp_path, monkeypatch):
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path / "home"))
    done = cost(PUBLISHED, "--size", "224")
    assert done.out.startswith(f"{PUBLISHED}: 32x224^2, 33.83 M parameters, 74.18 G multiply-adds")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--cost", "tiny", "--size", "12"], 2, "--size is '12'; a number or HEIGHTxWIDTH is expected"),
        (["--cost", "tiny", "--size", "64x64x64"], 2, "each from 32 to 4096, as in 256x340"),
        (["--cost", "network.width=8"], 2, "settings change the configs that are named; name some"),
        (["--cost", "--task", "detection"], 2, "they make no sense with --cost"),
        (["--cost", "tiny", "--download"], 2, "they make no sense with --cost"),
        (["--size", "64"], 2, "--size and --out make sense with --cost alone"),
        (["--cost", "slowfast_r50_8x9"], 1, "no such config; did you mean slowfast_r50_8x8"),
        (["--cost", "tiny", "network.wide=8"], 1, "network.wide"),
        (["--cost", "tiny", "network.slow_temporal_blocks=[9,1,1,1]"], 1, "tiny: the network cannot be built"),
        (
            ["--cost", "kinetics_slow_r50_4x16", "--size", "64"],
            1,
            "clips of 64x64 pixels are too small for this network",
        ),
        (["--cost", "mmaction2_slowonly_r50_4x16_ava21_lfb_nl"], 1, "no config describes its network"),
        (["--cost", "tiny", "--out", "none/cost.json"], 1, "there is no folder none"),
        (["--cost", "tiny", "--out", "."], 1, "is no regular file"),
    ],
)
def test_what_is_refused(command, arguments, code, text):
    done = command("models", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
    assert text in done.err
