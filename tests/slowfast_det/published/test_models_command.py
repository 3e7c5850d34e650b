"""``slowfast-det models``: the list, the details, json, downloads; light and plain."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from ava_tools.cli.run import run
from slowfast_det.checkpoints import zoo
from slowfast_det.checkpoints.zoo import find_published, published_models, stored_path
from slowfast_det.cli.main import app
from slowfast_det.config import config_names
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
    detection, classification = out.index("Detection: 33"), out.index("Classification: 54")
    for model in published_models():
        assert (detection < out.index(f"\n{model.name} ") < classification) == (model.task == "detection")
        line = " ".join(line_of(model.name, out))
        assert all(text in line for text in (model.architecture, model.clip, model.data, model.pretraining))
    assert line_of(NAME, out)[-3:] == ["25.9", "published", "no"]


@pytest.mark.parametrize("columns", ["20", "99", "100", "159", "160", "200"])
def test_every_name_is_whole_at_any_width(models, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = models()
    assert code == 0
    assert all(len(line) <= max(int(columns), 100) for line in out.splitlines())
    words = set(out.split())
    assert all({model.name, model.clip, *model.architecture.split()} <= words for model in published_models())
    assert {"hash", "published", "none", "mAP", "top-1"} <= words


def test_the_list_says_what_it_means(models):
    _, out, _ = models()
    assert "32x2 is 32 frames, every second one" in out
    assert "hash: whether its publisher gives one" in out
    assert "verified" not in out
    lines = [line for line in out.splitlines() if "(not loadable)" in line]
    assert [line.split()[0].rpartition("_")[2] for line in lines] == ["nl", "max"]
    assert all("_lfb_" in line for line in lines)


def test_one_task(models):
    _, out, _ = models("--task", "classification")
    assert "Classification: 54" in out
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
        "sha256:       none published",
        "Apache-2.0",
        str(stored_path(find_published("pyslowfast_slow_r50_4x16_ava22"))),
        "slow_r50_4x16 network.aligned=false",
        "slowfast-det predict film.mp4 --model pyslowfast_slow_r50_4x16_ava22",
    ):
        assert text in first
    assert "begins with 4c5b9f25" in second
    assert "needs a long-term feature bank and cannot be loaded" in second
    assert "predict" not in second


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("pyslowfast_slowfast_r50_8x8_k400", "slowfast_r50_8x8"), ("mmaction2_slowonly_r50_8x8_k400", "slow_r50_4x16")],
)
def test_a_classifier_is_to_start_from(models, name, recipe):
    _, out, _ = models(name)
    assert f"  use:          slowfast-det classify film.mp4 --model {name}\n" in out
    assert f"  start from:   slowfast-det train {recipe} data=FOLDER init={name}\n" in out
    assert recipe in config_names()
    assert "predict" not in out
    assert "not loadable" not in out


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
    assert record["sha256"] == "d934a48f"
    assert "verified" not in record
    assert record["overrides"] == []
    assert (record["on_disk"], record["bytes_on_disk"]) == (True, 1_500_000)
    assert record["path"] == str(stored_path(find_published(NAME)))
    assert json.loads(models(NAME, "--json")[1]) == [record]


def test_an_unknown_name(models):
    code, out, error = models("mmaction2_slowfast_r50_8x8_ava23", "--download")
    assert (code, out) == (1, "")
    assert error.count("\n") == 1
    assert f"error: mmaction2_slowfast_r50_8x8_ava23: no published weights have that name; did you mean {NAME}" in error


def test_a_piece_of_names(models):
    code, out, error = models("r50_8x8_k400_moco")
    assert (code, out) == (1, "")
    first, second = (f"pyslowfast_slow_r50_8x8_k400_moco_rho{digit}" for digit in "24")
    assert f"no published weights have that name; did you mean {first} or {second}?" in error


@pytest.mark.parametrize("arguments", [["--download"], [NAME, "--task", "detection"], ["--task", "tracking"]])
def test_misuse(models, arguments):
    code, out, error = models(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("misuse: ")


@pytest.mark.parametrize("known", [True, False], ids=["hash", "no hash"])
def test_download(models, served, server, monkeypatch, known):
    digits = hashlib.sha256(server.files["net.pth"]).hexdigest()[:8]
    model = replace(served, sha256=digits if known else None)
    monkeypatch.setattr(zoo, "published_models", lambda: (model,))
    said = "its hash agrees" if known else "no hash is published to hold it to"
    for _ in range(2):
        assert models(NAME, "--download") == (0, "", f"{NAME}: {stored_path(served)}, {said}\n")
    assert stored_path(served).stat().st_size == 2_000_000
    assert len(server.asked) == 1


def test_download_with_json(models, served):
    code, out, error = models(NAME, "--download", "--json")
    assert (code, error.count("\n")) == (0, 1)
    assert json.loads(out)[0]["bytes_on_disk"] == 2_000_000


@pytest.mark.parametrize("data", [b"PK\x03\x04 other", b""], ids=["another", "empty"])
def test_what_lies_there_is_held_to_its_hash(models, data):
    path = stored_path(find_published(NAME))
    put(path, data)
    code, out, error = models(NAME, "--download")
    assert (code, out) == (1, "")
    assert error.startswith(f"error: {path}: its SHA-256 begins with")
    assert error.endswith("d934a48f is expected; delete it, and it will be fetched again\n")


def test_what_lies_there_and_has_no_hash_is_looked_at(models):
    model = find_published("pyslowfast_slow_r50_4x16_ava22")
    put(stored_path(model), b'{"error": "gone"}')
    code, out, error = models(model.name, "--download")
    assert (code, out) == (1, "")
    assert error.startswith(f"error: {stored_path(model)}: it is no weight file; delete it")


def test_a_download_that_fails_does_not_stop_the_others(models, served, server, monkeypatch):
    broken = replace(served, name="broken", url=server.url("none.pth"))
    monkeypatch.setattr(zoo, "published_models", lambda: (broken, served))
    code, out, error = models("broken", NAME, "--download")
    assert (code, out) == (1, "")
    first, second = error.splitlines()
    assert first.startswith("error: the weights none.pth are not here and cannot be fetched (the server answers 404")
    assert second.startswith(f"{NAME}: {stored_path(served)}, ")


@pytest.mark.parametrize("arguments", [[], ["--json"], [NAME]], ids=["list", "json", "details"])
def test_nothing_heavy_is_loaded(arguments, home):
    code = (
        "import sys\nfrom slowfast_det.cli.main import app\n"
        f"app({['models', *arguments]!r}, result_action='return_value')\n"
        "print(sorted({'torch', 'torchvision', 'cv2', 'pandas', 'numpy', 'av'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
