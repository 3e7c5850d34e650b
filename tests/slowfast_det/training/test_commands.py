"""`train` and `test` as a user calls them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import ava_tools
from slowfast_det.checkpoints.model import load_model, load_network


@pytest.fixture
def train(command, recipe_file, data):
    def call(*settings):
        return command("train", recipe_file, f"data={data}", "training.epochs=1", *settings)

    return call


@pytest.fixture
def test(command, recipe_file, data):
    def call(model, *settings):
        return command("test", recipe_file, f"data={data}", *settings, "--model", model)

    return call


@pytest.fixture
def trained(train, tmp_path):
    assert train("out=run").code == 0
    return tmp_path / "run" / "last.safetensors"


def test_train_leaves_models_and_tells_what_it_does(train, tmp_path):
    outcome = train("out=run", "training.evaluate_every=1")
    assert outcome.code == 0
    assert outcome.paths == ["best.safetensors", "last.safetensors"]
    assert "training on 15 key frames with 30 persons of 3 films, 4 actions" in outcome.err
    assert "test split: persons are where the truth has them" in outcome.err
    assert "tested after epoch 1.00: mean_ap" in outcome.err
    model = load_model(tmp_path / "run" / "last.safetensors")
    assert model.labels.names == ("run", "sit", "wave left", "wave right")
    again = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert again["training"]["epochs"] == 1
    assert "data" not in model.config.model_dump()


def test_a_run_can_be_repeated_from_its_recipe(trained, command, tmp_path):
    outcome = command("train", "run/recipe.yaml", "out=again")
    assert outcome.code == 0
    one, other = (load_file(tmp_path / name / "last.safetensors") for name in ("run", "again"))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_init_shows_what_became_of_the_tensors(trained, train):
    outcome = train("out=fine", f"init={trained}")
    assert outcome.code == 0
    assert "init: " in outcome.err
    assert "backbone.slow.res2" in outcome.err
    labels = "class_map={run: sit}"
    assert "from sit" in train("out=mapped", f"init={trained}", labels).err


def test_test_writes_its_number_and_what_it_rests_on(trained, test, data, tmp_path):
    outcome = test(trained, "out=run")
    assert outcome.code == 0
    folder = tmp_path / "run" / "test"
    names = ["detections.csv", "report.json", "report.html", "fingerprint.json"]
    assert outcome.paths[-4:] == names
    assert "frame mAP" in outcome.out
    report = json.loads((folder / "report.json").read_text())
    again = ava_tools.evaluate(data / "test.csv", folder / "detections.csv", labels=data / "labels.csv")
    assert report["mean_ap"] == pytest.approx(again.mean_ap, abs=1e-12)
    assert len(pd.read_csv(folder / "detections.csv", header=None)) == 5 * 2 * 4
    print_ = json.loads((folder / "fingerprint.json").read_text())
    assert print_["mean_ap"] == report["mean_ap"]
    assert print_["films"]["read"] == 1
    assert print_["key_frames"] == {"annotated": 5, "scored": 5}
    assert [file["name"] for file in print_["truth"]] == ["test.csv"]
    assert print_["truth"][0]["sha256"] == hashlib.sha256((data / "test.csv").read_bytes()).hexdigest()
    assert test(trained, "out=run").paths[-1] == "fingerprint.json"
    assert (tmp_path / "run" / "test-2" / "detections.csv").exists()


PECULIAR = (
    *("clip.channels=bgr", "clip.mean=[0.485, 0.456, 0.406]", "clip.std=[0.229, 0.224, 0.225]"),
    *("clip.geometry=mmaction2", "clip.index_base=1", "clip.short_side=35", "activation=softmax"),
    *("network.context=frame", "network.unused_column=true", "network.slow_frames=stride"),
)


@pytest.mark.parametrize("settings", [(), PECULIAR], ids=["usual", "peculiar"])
def test_test_predict_and_the_network_give_the_same_scores(settings, train, test, command, data, tmp_path):
    """The same film with the same boxes through both commands, and by hand through the network."""
    assert train("out=run", "training.precision=fp32", *settings).code == 0
    trained = tmp_path / "run" / "last.safetensors"
    assert test(trained, "out=run").code == 0
    truth = ava_tools.read_truth(data / "test.csv")
    boxes = truth[["video", "timestamp", "x1", "y1", "x2", "y2"]].assign(label="", score=1.0)
    boxes.to_csv(tmp_path / "boxes.csv", header=False, index=False)
    film = data / "films" / "d.mp4"
    done = command("predict", film, "--model", trained, "--boxes", "boxes.csv", "--min-score", "0", "--save", "csv")
    assert done.code == 0
    key = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id"]
    one, other = (
        ava_tools.read_detections(path).set_index(key)["score"].sort_index()
        for path in (tmp_path / "run" / "test" / "detections.csv", tmp_path / "predictions" / "d.csv")
    )
    assert one.index.equals(other.index)
    np.testing.assert_allclose(one, other, atol=1e-6)
    model, network = load_model(trained), load_network(trained)
    frames = [picture[..., ::-1] if settings else picture for picture in pictures_of(film)]
    moment = truth[truth["timestamp"] == 1.5]
    with torch.inference_mode():
        logits = network(*by_hand(frames, model.clip, 1.5, moment[["x1", "y1", "x2", "y2"]].to_numpy()))
    expected = logits.softmax(1) if settings else logits.sigmoid()
    found = one.xs(1.5, level="timestamp")
    for box, of_box in zip(moment["x1"], expected, strict=True):
        np.testing.assert_allclose(found.xs(box, level="x1"), of_box, atol=1e-5)


def pictures_of(film):
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def by_hand(frames, clip, time, boxes):
    """Clip and boxes of a 64 x 48 film at 30 frames a second, after the definitions in ClipConfig."""
    centre = round(time * 30) + clip.index_base
    first = centre - clip.num_frames * clip.sampling_rate // 2
    indices = [min(max(first + number * clip.sampling_rate, 0), len(frames) - 1) for number in range(clip.num_frames)]
    mmaction2 = clip.geometry == "mmaction2"
    width = 64 * clip.short_side / 48
    width = int(width + 0.5) if mmaction2 else int(width)
    pictures = [cv2.resize(frames[index], (width, clip.short_side)) / np.float32(255) for index in indices]
    normal = (np.stack(pictures) - np.float32(clip.mean)) / np.float32(clip.std)
    scale = np.array([width, clip.short_side] * 2) if mmaction2 else np.array([64, 48] * 2) * width / 64
    rows = np.insert(boxes * scale, 0, 0, axis=1).astype(np.float32)
    return torch.from_numpy(normal.astype(np.float32).transpose(3, 0, 1, 2)[None].copy()), torch.from_numpy(rows)


def test_predicted_boxes(trained, test, data, tmp_path):
    folder = tmp_path / "with boxes"
    folder.mkdir()
    manifest = yaml.safe_load((data / "dataset.yaml").read_text())
    split = {"truth": str(data / "test.csv"), "boxes": "boxes.csv"}
    manifest |= {"films": str(data / "films"), "labels": str(data / "labels.csv"), "splits": {"test": split}}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(manifest))
    (folder / "boxes.csv").write_text("d,1,0.1,0.2,0.5,0.9,,0.9\nd,1.5,0.1,0.2,0.5,0.9,,0.3\nd,2,0,0,1,1,,0.8\n")
    outcome = test(trained, f"data={folder}", "out=run", "persons.min_score=0.5")
    assert outcome.code == 0
    rows = ava_tools.read_detections(tmp_path / "run" / "test" / "detections.csv")
    assert rows["timestamp"].unique().tolist() == [1, 2]
    assert "persons are where the truth has them" not in outcome.err
    assert test(trained, f"data={folder}", "out=run", "persons.source=truth").code == 0
    rows = ava_tools.read_detections(tmp_path / "run" / "test-2" / "detections.csv")
    assert rows["timestamp"].nunique() == 5


@pytest.mark.parametrize(
    ("boxes", "settings", "manifest", "reason"),
    [
        pytest.param("", [], {}, "its files of boxes are empty", id="no boxes"),
        pytest.param(
            "d,1,0,0,1,1,,0.4\n",
            [],
            {},
            "1 of 1 boxes are below persons.min_score 0.5 and left out; no box is left at key frames that count",
            id="weak boxes",
        ),
        pytest.param("d,1,0,0,1,1\n", [], {"start": 1.5}, "no box is left at key frames that count", id="out of time"),
        pytest.param("", [], {"start": 9}, "its truth names no key frame that counts", id="truth out of time"),
        pytest.param("", ["persons.source=truth"], {}, "its truth has nobody at key frames that count", id="nobody"),
    ],
)
def test_nothing_to_be_tested_on(trained, test, changed_data, boxes, settings, manifest, reason):
    split = {"truth": "test.csv", "boxes": "boxes.csv"}
    truth = "d,1\nd,1.5\n" if settings else "d,1,0,0,1,1,1\nd,2,0,0,1,1,1\n"
    folder = changed_data({"boxes.csv": boxes, "test.csv": truth}, splits={"test": split}, **manifest)
    outcome = test(trained, f"data={folder}", "out=run", "persons.min_score=0.5", *settings)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == f"error: the split 'test' has nothing to be tested on: {reason}"


def test_two_processes_score_each_key_frame_once(trained, test, recipe_file, data, tmp_path):
    test(trained, "out=one")
    arguments = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "slowfast_det", "test", recipe_file]
    arguments += [f"data={data}", f"out={tmp_path / 'two'}", "--model", trained]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, arguments)], env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.count(b"frame mAP") == 1
    one, two = (pd.read_csv(tmp_path / name / "test" / "detections.csv", header=None) for name in ("one", "two"))
    pd.testing.assert_frame_equal(one.drop(columns=7), two.drop(columns=7))
    np.testing.assert_allclose(one[7], two[7], atol=1e-5)


def test_a_missing_head_is_an_error(trained, test, tmp_path):
    weights = load_file(trained)
    with safe_open(trained, "pt") as file:
        metadata = file.metadata()
    headless = {name: value for name, value in weights.items() if not name.startswith("head.")}
    save_file(headless, tmp_path / "headless.safetensors", metadata)
    outcome = test(tmp_path / "headless.safetensors")
    assert outcome.code == 1
    assert "does not fit its config: lacks head.projection.bias, head.projection.weight" in outcome.err


def test_weights_that_are_no_numbers_end_the_test(trained, test, tmp_path):
    weights = load_file(trained)
    weights["head.projection.bias"][0] = float("nan")
    with safe_open(trained, "pt") as file:
        save_file(weights, tmp_path / "nan.safetensors", file.metadata())
    outcome = test(tmp_path / "nan.safetensors", "out=run")
    assert outcome.code == 1
    assert "nan.safetensors: head.projection.bias holds numbers that are not finite" in outcome.err
    assert not Path("run/test").exists()


def test_a_broken_film_does_not_stop_the_test(trained, test, data, tmp_path):
    folder = tmp_path / "broken"
    (folder / "films").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4"):
        (folder / "films" / name).write_bytes((data / "films" / name).read_bytes())
    (folder / "films" / "x.mp4").write_bytes(b"nothing")
    lines = [line for line in (data / "train.csv").read_text().splitlines() if line[0] in "ab"]
    (folder / "test.csv").write_text("\n".join([*lines, "x,1,0,0,1,1,1", "y,1,0,0,1,1,1"]) + "\n")
    manifest = {"films": "films", "labels": str(data / "labels.csv"), "splits": {"test": {"truth": "test.csv"}}}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(manifest))
    outcome = test(trained, f"data={folder}", "out=run")
    assert outcome.code == 0
    assert "1 of 4 films are missing: y" in outcome.err
    assert "1 of 4 films cannot be read" in outcome.err
    assert "frame mAP" in outcome.out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data=nowhere"], "nowhere: no such data set; a folder with a dataset.yaml"),
        (["training.epoch=5"], "training.epoch is no setting; did you mean epochs"),
        (["training.epochs=many"], r"training.epochs: .*integer.*'many'"),
        (["epochs"], "'epochs' is no setting; key=value is expected"),
        (["train_split=val"], "no split 'val'; it has test, train"),
        (["augmentation.crop=64"], r"crop 64 is larger than the least short_side 32"),
        (["init=none.pyth"], "none.pyth: cannot be read"),
        (["device=tpu"], "device 'tpu' cannot be used"),
        (["augmentation.flip_pairs=[[run, swim]]"], "'swim' is none of the model's 4 actions"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(train, settings, message):
    outcome = train("out=run", *settings)
    assert outcome.code == 1
    assert outcome.err.count("error: ") == 1
    assert re.search(message, outcome.err), outcome.err
    assert not Path("run").exists()


def test_a_recipe_without_data(command, recipe_file):
    outcome = command("train", recipe_file)
    assert outcome.code == 1
    assert "names no data; data=FOLDER is expected" in outcome.err


def test_a_model_of_other_actions(test, tiny):
    outcome = test(tiny)
    assert outcome.code == 1
    assert "is of 80 actions, the data set has 4" in outcome.err


def test_a_network_setting_of_the_test_changes_the_checkpoints_own(trained, test):
    assert "does not fit its config" in test(trained, "network.width=16").err
    assert test(trained, "clip.short_side=48", "out=run").code == 0
    assert json.loads(Path("run/test/fingerprint.json").read_text())["model"]["clip"]["short_side"] == 48
