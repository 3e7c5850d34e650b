"""``slowfast-det models``: the list, the details, json, downloads; light and plain."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from ava_tools.cli.run import run
from slowfast_det.checkpoints import zoo
from slowfast_det.checkpoints.zoo import find_published, published_models, stored_path
from slowfast_det.cli.main import app
from slowfast_det.weights.download import part_of

NAME = "mmaction2_slowfast_r50_8x8_ava22"


@pytest.fixture
def models(capfd, home, monkeypatch):
    """Run the command: exit code, standard output, standard error."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run_it(*arguments):
        code = run(app, ["models", *arguments])
        return code, *capfd.readouterr()

    return run_it


@pytest.fixture
def served(server, monkeypatch):
    """A model whose file is on the server."""
    server.files["net.pth"] = b"PK\x03\x04".ljust(2_000_000)
    model = replace(find_published(NAME), url=server.url("net.pth"), sha256=None)
    others = tuple(other for other in published_models() if other.name != NAME)
    monkeypatch.setattr(zoo, "published_models", lambda: (model, *others))
    return model


def put(path, data=b"0" * 1_500_000):
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def line_of(name, text):
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return line.split()


def test_the_list_has_one_line_a_model_where_nobody_folds(models):
    code, out, error = models()
    assert (code, error) == (0, "")
    detection, classification = out.index("Detection: 33"), out.index("Classification: 43")
    for model in published_models():
        assert (detection < out.index(f"\n{model.name} ") < classification) == (model.task == "detection")
        line = " ".join(line_of(model.name, out))
        assert all(text in line for text in (model.architecture, model.clip, model.data, model.pretraining))
    assert line_of(NAME, out)[-3:] == ["25.9", "verified", "no"]


@pytest.mark.parametrize("columns", ["100", "200"])
def test_every_name_is_whole_at_any_width(models, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = models()
    assert code == 0
    assert all(len(line) <= int(columns) for line in out.splitlines())
    words = set(out.split())
    assert all({model.name, model.clip, *model.architecture.split()} <= words for model in published_models())
    assert {"verified", "unverified", "mAP", "top-1"} <= words


def test_one_task(models):
    _, out, _ = models("--task", "classification")
    assert "Classification: 43" in out
    assert "Detection" not in out


def test_what_is_on_disk(models):
    put(stored_path(find_published(NAME)))
    half = find_published("pyslowfast_slow_r50_4x16_ava22")
    put(part_of(stored_path(half)))
    _, out, _ = models()
    assert line_of(NAME, out)[-2:] == ["1.5", "MB"]
    assert line_of(half.name, out)[-1] == "partly"


def test_details(models):
    code, out, _ = models("pyslowfast_slow_r50_4x16_ava22", "mmaction2_slowonly_r50_4x16_ava21_lfb_nl")
    assert code == 0
    first, second = out.split("\n\n")
    for text in (
        "https://dl.fbaipublicfiles.com/pyslowfast/model_zoo/ava/C2D_8x8_R50.pkl",
        "not published",
        "none published: unverified",
        "Apache-2.0",
        str(stored_path(find_published("pyslowfast_slow_r50_4x16_ava22"))),
        "slow_r50_4x16 network.aligned=false",
        "slowfast-det predict film.mp4 --model pyslowfast_slow_r50_4x16_ava22",
    ):
        assert text in first
    assert "begins with 4c5b9f25" in second
    assert "needs a long-term feature bank and cannot be loaded" in second
    assert "predict" not in second


def test_a_classifier_is_to_start_from(models):
    _, out, _ = models("pyslowfast_slowfast_r50_8x8_k400")
    assert f"init={stored_path(find_published('pyslowfast_slowfast_r50_8x8_k400'))}" in out
    assert "predict" not in out


def test_json(models):
    put(stored_path(find_published(NAME)))
    code, out, _ = models("--json", "--task", "detection")
    records = {record["name"]: record for record in json.loads(out)}
    assert code == 0
    assert len(records) == 33
    record = records[NAME]
    assert record["mean_ap"] == 25.9
    assert record["top1"] is None
    assert record["size"] is None
    assert record["verified"] is True
    assert record["overrides"] == []
    assert (record["on_disk"], record["bytes_on_disk"]) == (True, 1_500_000)
    assert record["path"] == str(stored_path(find_published(NAME)))
    assert json.loads(models(NAME, "--json")[1]) == [record]


def test_an_unknown_name(models):
    code, out, error = models("mmaction2_slowfast_r50_8x8_ava23", "--download")
    assert (code, out) == (1, "")
    assert error.count("\n") == 1
    assert f"error: mmaction2_slowfast_r50_8x8_ava23: no published weights have that name; did you mean {NAME}" in error


@pytest.mark.parametrize("arguments", [["--download"], [NAME, "--task", "detection"], ["--task", "tracking"]])
def test_misuse(models, arguments):
    code, out, error = models(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("misuse: ")


def test_download(models, served):
    code, out, error = models(NAME, "--download")
    assert (code, error) == (0, "")
    assert stored_path(served).stat().st_size == 2_000_000
    assert "2.0 MB" in out


def test_a_download_that_fails_does_not_stop_the_others(models, served, server, monkeypatch):
    broken = replace(served, name="broken", url=server.url("none.pth"))
    monkeypatch.setattr(zoo, "published_models", lambda: (broken, served))
    code, out, error = models("broken", NAME, "--download")
    assert code == 1
    assert error.startswith("error: the weights none.pth are not here and cannot be fetched (the server answers 404")
    assert "on disk:      no" in out
    assert "2.0 MB" in out


@pytest.mark.parametrize("arguments", [[], ["--json"], [NAME]], ids=["list", "json", "details"])
def test_nothing_heavy_is_loaded(arguments, home):
    code = (
        "import sys\nfrom slowfast_det.cli.main import app\n"
        f"app({['models', *arguments]!r}, result_action='return_value')\n"
        "print(sorted({'torch', 'torchvision', 'cv2', 'pandas', 'numpy', 'av'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
