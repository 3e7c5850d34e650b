"""The quickstart, cut short: its files and its figures. That it learns is shown by `make demo` and checked in CI."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import ava_tools
import slowfast_det
from slowfast_det.checkpoints.model import load_model
from slowfast_det.quickstart import run as quickstart
from slowfast_det.quickstart.acts import ACTIONS, MOTIONS

FILES = {
    ".quickstart",
    *("data", "persons", "actions", "report.json", "report.html", "truth.csv", "detections.csv", "labels.csv"),
    *("model.safetensors", "persons.safetensors", "persons.csv", "unseen.mp4"),
    *("prediction.csv", "prediction.jsonl", "prediction.mp4"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A quickstart of a few films and steps, whose detector keeps whatever it finds."""
    out = tmp_path_factory.mktemp("quickstart") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickstart, "_MIN_SCORE", 0.001)
        settings = ("training.epochs=1", "training.precision=fp32")
        findings = quickstart.run_quickstart(
            out, 1, films=(4, 3), settings=settings, person_settings=("training.epochs=2",)
        )
    return out, findings


def test_files(made):
    out, _ = made
    assert {path.name for path in out.iterdir()} == FILES
    assert len(list((out / "data" / "films").iterdir())) == 7


def test_report(made):
    out, findings = made
    report = json.loads((out / "report.json").read_text())
    contract = {"mean_ap", "chance_ap", "person_ap", "motion_ap", "motion_ap_shuffled", "motion_ap_single_frame"}
    assert contract | {"seconds"} <= set(report)
    assert report["test_films"] == 3
    assert set(report["actions"]) == set(ACTIONS)
    assert report["seconds"] == pytest.approx(sum(report["parts"].values()), abs=0.01)
    aps = [value for action in report["actions"].values() for value in action.values() if value is not None]
    assert all(0 <= value <= 1 for value in aps)
    assert report["mean_ap"] == findings.mean_ap


def test_the_number_is_that_of_the_files(made):
    out, findings = made
    report = ava_tools.evaluate(out / "truth.csv", out / "detections.csv", labels=out / "labels.csv")
    assert report.mean_ap == pytest.approx(findings.mean_ap, abs=1e-12)
    motions = report.per_action.set_index("name").loc[list(MOTIONS), "ap"]
    assert motions.mean(skipna=False) == pytest.approx(findings.motion_ap, abs=1e-12, nan_ok=True)
    assert report.per_action["name"].tolist() == list(ACTIONS)


def test_persons_are_the_detectors(made):
    out, findings = made
    found = ava_tools.read_person_boxes(out / "persons.csv")
    scored = pd.read_csv(out / "detections.csv", header=None)
    keys = {tuple(row) for row in found[["video", "timestamp", "x1", "y1"]].itertuples(index=False)}
    assert {tuple(row) for row in scored[[0, 1, 2, 3]].itertuples(index=False)} == keys
    truth = ava_tools.read_truth(out / "truth.csv").drop_duplicates(["video", "timestamp", "x1", "y1", "x2", "y2"])
    one = ava_tools.Labels((ava_tools.Action(1, "person"),))
    again = ava_tools.evaluate(truth.assign(action_id=1), found.assign(action_id=1), labels=one)
    assert again.mean_ap == pytest.approx(findings.person_ap, abs=1e-6)


def test_films(made, inspect):
    out, _ = made
    film, prediction = inspect(out / "unseen.mp4"), inspect(out / "prediction.mp4")
    for each in (film, prediction):
        assert (each.codec, each.pixel_format, each.size) == ("h264", "yuv420p", (704, 512))
        assert each.times == [Fraction(n, 15) for n in range(120)]
    change = [np.abs(one.astype(int) - two).mean() for one, two in zip(film.images, prediction.images, strict=True)]
    assert max(change) > 1, "boxes are drawn"


def test_the_models_are_ours(made):
    out, _ = made
    model = slowfast_det.load_model(out / "model.safetensors")
    assert model.labels.names == ACTIONS
    assert model.clip.num_frames == 8
    detector = slowfast_det.load_person_detector(out / "persons.safetensors", min_score=0.001)
    answer = detector([np.zeros((128, 176, 3), np.uint8)])[0]
    assert answer.boxes.shape == (len(answer.scores), 4)


def test_a_reordered_network_sees_other_frames(made):
    import torch

    from slowfast_det.quickstart.examination import _Reordered

    network = load_model(made[0] / "model.safetensors").network
    clip, boxes = torch.rand(1, 3, 8, 64, 64), torch.tensor([[0, 4.0, 4, 60, 60]])
    with torch.no_grad():
        backwards = _Reordered(network, range(7, -1, -1))(clip, boxes)
        torch.testing.assert_close(backwards, network(clip.flip(2), boxes))
        single = _Reordered(network, [4] * 8)(clip, boxes)
        torch.testing.assert_close(single, network(clip[:, :, 4:5].expand(-1, -1, 8, -1, -1), boxes))


def test_folders_of_others_are_left_alone(made, tmp_path):
    (tmp_path / "persons").mkdir()
    (tmp_path / "persons" / "mine.txt").write_text("kept")
    with pytest.raises(slowfast_det.InputError, match="holds other things; a new or empty folder is expected"):
        quickstart.run_quickstart(tmp_path)
    assert (tmp_path / "persons" / "mine.txt").read_text() == "kept"


def test_command_line(command, monkeypatch):
    def stub(out, seed, tell):
        tell(f"seed {seed}")
        raise slowfast_det.InputError(f"{out}: cannot be written")

    monkeypatch.setattr(quickstart, "run_quickstart", stub)
    outcome = command("quickstart", "--out", "x", "--seed", "3")
    assert outcome.code == 1
    assert "seed 3" in outcome.err
    assert "error: x: cannot be written" in outcome.err
