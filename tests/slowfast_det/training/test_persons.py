"""Person detectors in the same loop: from weights to a file that finds what it was trained on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml
from little_detectron2 import little_arrays, write
from safetensors import safe_open
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import mobilenet_backbone, resnet_fpn_backbone

from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from ava_tools.media.reader import open_film
from slowfast_det.config import config_names
from slowfast_det.distributed import World
from slowfast_det.person_recipe import DetectorConfig, FrameVariationConfig, read_person_recipe
from slowfast_det.person_testing import prepare_person_examination, run_person_test
from slowfast_det.persons.detector_file import About, save_detector
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.small_rcnn import SmallBackbone
from slowfast_det.persons.starting import start_detector
from slowfast_det.persons.torchvision_networks import build, freeze_stages
from slowfast_det.training.key_frames import read_actor_frames
from slowfast_det.training.persons import prepare_person_training
from slowfast_det.training.run import run_training
from slowfast_det.training.samples import Draw
from slowfast_det.training.tasks import persons
from slowfast_det.training.tasks.persons import LEAST_SCORE, PersonSamples, Portrait, collate

CPU = World(torch.device("cpu"))
QUICK = (
    *("training.epochs=2", "training.batch=4", "training.workers=0", "training.memory=0", "training.evaluate_every=0"),
    *("training.schedule.lr=0.002", "detector.min_size=64", "detector.max_size=96"),
)


@pytest.fixture
def train(data, tmp_path):
    """Train in this process; returns the folder and what came out."""

    def call(*settings, out="run", recipe="small"):
        made = read_person_recipe(recipe, (f"data={data}", f"out={tmp_path / out}", *QUICK, *settings))
        outcome = run_training(made, prepare_person_training(made).task, CPU)
        return tmp_path / out, outcome

    return call


@pytest.fixture(scope="module")
def key_frames(data):
    return read_actor_frames(read_data_set(data), "train", ["person"])


def test_the_largest_overlap_is_the_recipes():
    start = start_detector(DetectorConfig(network="small_faster_rcnn", max_overlap=0.3), ("person",), None)
    assert start.about.max_overlap == start.network.roi_heads.nms_thresh == 0.3


def test_boxes_are_computed_in_full_precision(data, tmp_path):
    """Only within its parts a detector computes in half precision."""
    made = read_person_recipe("small", (f"data={data}", f"out={tmp_path / 'run'}", *QUICK))
    network = prepare_person_training(made).task.network.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = network.backbone(torch.zeros(1, 3, 64, 64))
        logits, deltas = network.rpn.head(list(features.values()))
        hidden = network.roi_heads.box_head(torch.zeros(2, features["0"].shape[1], 5, 5))
        scores, boxes = network.roi_heads.box_predictor(hidden)
    outputs = [*features.values(), *logits, *deltas, hidden, scores, boxes]
    assert {output.dtype for output in outputs} == {torch.float32}


def test_the_file_finds_what_the_network_finds(train, steps_of):
    folder, outcome = train("training.seed=3")
    losses = [loss for _, loss, _ in steps_of(folder)]
    assert len(losses) == 2 * 3
    assert np.isfinite(losses).all()
    assert set(outcome.figures) == {"ap", "ap50"}
    detector = load_person_detector(folder / "last.safetensors", min_score=0.01)
    assert detector.classes == ("person",)
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    outcome.network.eval().roi_heads.score_thresh = 0.01
    with torch.no_grad():
        plain = outcome.network([torch.from_numpy(frame).permute(2, 0, 1) / 255])[0]
    assert len(plain["scores"]) > 0
    np.testing.assert_allclose(detector([frame])[0].scores, plain["scores"].numpy(), atol=1e-6)
    np.testing.assert_allclose(detector([frame])[0].boxes, plain["boxes"].numpy(), atol=1e-3)
    with safe_open(folder / "last.safetensors", "pt") as file:
        about = json.loads(file.metadata()["detector"])
    assert about == {
        "network": "small_faster_rcnn",
        "classes": ["person"],
        "min_size": 64,
        "max_size": 96,
        "max_overlap": None,
        "min_score": None,
    }
    assert yaml.safe_load((folder / "recipe.yaml").read_text())["detector"]["network"] == "small_faster_rcnn"


def test_a_training_that_is_resumed_is_the_one_that_never_stopped(train, steps_of, tmp_path, data):
    whole, _ = train("training.epochs=3", out="whole")
    part, _ = train("training.epochs=1", out="part")
    again, _ = train("training.epochs=3", "resume=true", out="part")
    assert part == again
    # the learning rate is that of the whole training from the second part on only
    first, second = steps_of(whole), steps_of(again)
    assert [step for step, *_ in second] == list(range(9))
    assert first[0] == second[0]
    with pytest.raises(InputError, match="holds a training already"):
        train(out="part")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ["actors=bird"],
            "task was finding person with min_size 64, max_size 96 and is finding bird with min_size 64, ",
        ),
        (["detector.min_size=48"], "and is finding person with min_size 48, max_size 96"),
        (["detector.max_size=80"], "and is finding person with min_size 64, max_size 80"),
        (["actors=[run, sit]"], "the samples are others, task was finding person with .* and is finding run, sit with"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_resumption_that_would_learn_something_else(train, settings, told):
    train("training.epochs=1")
    with pytest.raises(
        InputError, match=rf"^\S+state\.pt: .*{told}.*; a training goes on only with what it began with$"
    ):
        train("resume=true", *settings)


def test_interrupted_after_a_step(train, steps_of, monkeypatch):
    """Losses after the resumption are to the last digit those of a run that never stopped."""
    from slowfast_det.training.interruption import Interruption

    whole, _ = train("augmentation.min_size=[48,64,80]", out="whole")
    asked = iter([False, False, False, True])
    with monkeypatch.context() as patch:
        patch.setattr(Interruption, "asked", property(lambda self: next(asked, True), lambda self, value: None), False)
        with pytest.raises(InputError, match="stopped after"):
            train("augmentation.min_size=[48,64,80]", out="cut")
    resumed, _ = train("augmentation.min_size=[48,64,80]", "resume=true", out="cut")
    assert steps_of(resumed) == steps_of(whole)


def test_it_learns(train, steps_of):
    folder, outcome = train("training.epochs=40", "training.batch=5", "training.memory=1", "augmentation.flip=0")
    losses = [loss for _, loss, _ in steps_of(folder)]
    assert np.mean(losses[-6:]) < 0.6 * np.mean(losses[:6])
    assert outcome.figures["ap50"] > 0.5


def test_roles_are_classes(train):
    folder, _ = train("actors=[run, sit]", "training.epochs=1")
    detector = load_person_detector(folder / "last.safetensors", min_score=0.0)
    assert detector.classes == ("run", "sit")
    assert load_person_detector(folder / "last.safetensors", actors=["sit"]).classes == ("sit",)
    with pytest.raises(InputError, match="finds no 'wave left'; it finds run, sit"):
        load_person_detector(folder / "last.safetensors", actors=["wave left"])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_the_same(train, steps_of, precision):
    """Boxes are computed in fp32: in bf16 a box of a frame of 1000 pixels would be off by 4."""
    exact, _ = train("training.schedule.lr=1e-5", out="exact")
    half, _ = train("training.schedule.lr=1e-5", f"training.precision={precision}", out="half")
    one, other = (np.array([loss for _, loss, _ in steps_of(folder)]) for folder in (exact, half))
    np.testing.assert_allclose(one, other, rtol=0.05)
    assert not np.array_equal(one, other)


def test_gradients_of_half_precision():
    """Of the backbone's convolutions on this processor, against fp32."""
    gradients = []
    images = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    for half in (False, True):
        torch.manual_seed(0)
        backbone = SmallBackbone(16).train()
        if half:
            backbone = backbone.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            (features,) = backbone(images).values()
        weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
        (features.float() * weights).sum().backward()
        gradients.append({name: weight.grad for name, weight in backbone.named_parameters()})
    exact, coarse = gradients
    for name, expected in exact.items():
        if expected.norm() > 1e-2:
            alike = torch.cosine_similarity(coarse[name].flatten(), expected.flatten(), dim=0)
            assert alike > 0.9, name  # 0.948 at least on processors with AVX-512, more with AMX


@pytest.mark.parametrize("kind", ["fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn"])
def test_from_weights_of_coco(train, tmp_path, kind):
    """Rows of classes with the same names are kept, frozen stages stay, the file is torchvision's network again."""
    torch.manual_seed(0)
    theirs = getattr(detection, kind)(weights=None, weights_backbone=None)
    state = {name: value for name, value in theirs.state_dict().items() if "num_batches" not in name}  # frozen norms
    torch.save(state, tmp_path / "coco.pth")
    settings = (f"detector.network={kind}", f"init={tmp_path / 'coco.pth'}", "detector.frozen_stages=2")
    settings += ("training.optimiser=sgd", "training.epochs=1", "training.batch=12", "training.freeze_norm=true")
    settings += ("training.schedule.lr=1e-9", "training.weight_decay=0", "actors=[person]")
    folder, _ = train(*settings)
    with safe_open(folder / "last.safetensors", "pt") as file:
        ours = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    head = "roi_heads.box_predictor."
    for name, value in state.items():
        if not name.startswith(head):
            torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)
    rows = {
        "cls_score.weight": [0, 1],
        "cls_score.bias": [0, 1],
        "bbox_pred.weight": range(8),
        "bbox_pred.bias": range(8),
    }
    for name, kept in rows.items():
        torch.testing.assert_close(ours[head + name], state[head + name][list(kept)], atol=1e-6, rtol=0)
    detector = load_person_detector(folder / "last.safetensors", 0.0, max_persons=5)
    assert len(detector([np.zeros((64, 96, 3), np.uint8)])[0].boxes) <= 5


@pytest.mark.parametrize("freeze_norm", ["true", "false"])
def test_frozen_stages_do_not_move(train, freeze_norm):
    """Neither their weights nor the statistics of their norms, which move elsewhere unless all are frozen."""
    before, _ = train("training.epochs=1", out="before")
    settings = (f"init={before / 'last.safetensors'}", "detector.frozen_stages=2")
    after, _ = train(*settings, f"training.freeze_norm={freeze_norm}", "training.epochs=1", out="after")
    states = []
    for folder in (before, after):
        with safe_open(folder / "last.safetensors", "pt") as file:
            states.append({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    one, other = states
    moved = {name for name in one if not torch.equal(one[name], other[name])}
    assert not any(name.startswith(("backbone.stem", "backbone.quarter")) for name in moved)
    assert any(name.startswith("backbone.eighth") for name in moved)
    assert any(name.endswith("running_mean") for name in moved) == (freeze_norm == "false")
    assert any(name.startswith("rpn") for name in moved)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn"])
def test_frozen_stages_are_torchvisions(kind, count):
    network = build(kind, 2, min_score=0.5)
    freeze_stages(network, kind, count)
    norm = torch.nn.BatchNorm2d
    if "mobilenet" in kind:
        theirs = mobilenet_backbone(
            backbone_name="mobilenet_v3_large", weights=None, fpn=True, norm_layer=norm, trainable_layers=6 - count
        )
    else:
        theirs = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=norm, trainable_layers=5 - count
        )
    ours, expected = (
        {name for name, weight in each.named_parameters() if not weight.requires_grad}
        for each in (network.backbone, theirs)
    )
    assert ours == expected
    assert ours


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["init=nowhere.pth"], "nowhere.pth: no such weights; a file or one of fasterrcnn_resnet50_fpn_v2"),
        (["init=FILE", "detector.network=fasterrcnn_resnet50_fpn"], "is small_faster_rcnn, the recipe asks for faster"),
        (["actors=[run, referee]"], "actors: 'referee' is no label of the data set"),
        (["actors=[run, Run]"], "names that differ are expected"),
        (["actors=[]"], "actors: .*at least 1"),
        (["detector.network=yolo"], "detector.network: .*fasterrcnn_resnet50_fpn_v2"),
        (["detector.frozen_stages=2"], "frozen_stages keeps weights of init, and none is given"),
        (["training.freeze_norm=true"], "freeze_norm keeps statistics of init, and none is given"),
        (["training.loss.kind=focal"], "training.loss is no setting"),
        (["train_split=val"], "no split 'val'"),
        (["augmentation.min_size=[8]"], "min_size is .8.; pixels from 16"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_wrong_is_told(command, data, tmp_path, train, settings, sentence):
    if "init=FILE" in settings:
        folder, _ = train("training.epochs=1", out="own")
        settings = [f"init={folder / 'last.safetensors'}", *settings[1:]]
    outcome = command("train-persons", "small", f"data={data}", "out=run", *QUICK, *settings)
    assert outcome.code == 1
    assert outcome.err.count("error: ") == 1
    assert re.search(sentence, outcome.err), outcome.err
    assert not (tmp_path / "run" / "state.pt").exists()


def test_commands(command, data, tmp_path):
    outcome = command("train-persons", "small", f"data={data}", "out=run", *QUICK, "training.evaluate_every=1")
    assert outcome.code == 0
    assert outcome.paths == ["best.safetensors", "last.safetensors"]
    assert "training on 15 key frames with 30 boxes of 3 films: person" in outcome.err
    assert "small_faster_rcnn from scratch" in outcome.err
    assert "tested after epoch 2.00: ap" in outcome.err
    tested = command("test-persons", "run/recipe.yaml", "--model", "run/last.safetensors")
    assert tested.code == 0
    assert tested.paths[-2:] == ["person_boxes.csv", "report.json"]
    assert "5 key frames, 10 in the truth" in tested.out
    report = json.loads((tmp_path / "run" / "test-persons" / "report.json").read_text())
    entries = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    last = [entry for entry in entries if entry["kind"] == "test"][-1]
    assert report["ap"] == pytest.approx(last["ap"], abs=0.02)
    assert report["key_frames"] == {"annotated": 5, "missed": 0}
    assert sum(entry["truth"] for entry in report["by_size"]) == 10
    assert command("test-persons", "run/recipe.yaml", "--model", "run/last.safetensors").code == 0
    assert (tmp_path / "run" / "test-persons-2" / "report.json").exists()


@pytest.fixture
def examine(command, data, tmp_path):
    """`test-persons` with a detector of drawn weights; what it says, its report and its rows of boxes."""

    def call(*arguments, classes=("person",)):
        torch.manual_seed(0)
        network = build("small_faster_rcnn", len(classes) + 1, min_score=0.05)
        network.roi_heads.box_predictor.cls_score.weight.data *= 30  # it finds something of each class
        about = About(network="small_faster_rcnn", classes=classes, min_size=64, max_size=96)
        save_detector(tmp_path / "drawn.safetensors", network.state_dict(), about)
        options = ("--model", "drawn.safetensors", "--overwrite")
        outcome = command("test-persons", "small", f"data={data}", "out=run", *options, *arguments)
        folder = tmp_path / "run" / "test-persons"
        if outcome.code:
            return outcome, {}, []
        rows = [line.split(",") for line in (folder / "person_boxes.csv").read_text().splitlines()]
        return outcome, json.loads((folder / "report.json").read_text()), rows

    return call


def test_actors_of_labels_keep_them(examine):
    classes = ("run", "cloud", "sit")
    outcome, report, rows = examine("actors=[Sit, run]", classes=classes)
    assert outcome.code == 0
    assert "5 key frames, 5 in the truth: sit, run" in outcome.out
    assert [(each["class"], each["label"], each["truth"]) for each in report["per_class"]] == [
        ("sit", 2, 3),
        ("run", 1, 2),
    ]
    for name, label in (("sit", "2"), ("run", "1")):
        _, alone, own = examine(f"actors={name}", classes=classes)
        assert own == [row for row in rows if row[6] == label]
        assert len(own) > 0
        assert [(each["class"], each["label"]) for each in alone["per_class"]] == [(name, int(label))]


def test_actors_are_what_the_detector_finds(examine):
    outcome, report, rows = examine(classes=("bird",))
    assert outcome.code == 0
    assert "looking for what drawn.safetensors finds: bird" in outcome.err
    assert "every annotated box is one 'bird'" in outcome.err
    assert [(each["class"], each["label"], each["truth"]) for each in report["per_class"]] == [("bird", None, 10)]
    assert {row[6] for row in rows} == {""}
    outcome, report, rows = examine(classes=("wave left", "sit"))
    assert [(each["class"], each["label"]) for each in report["per_class"]] == [("wave left", 3), ("sit", 2)]
    assert {row[6] for row in rows} == {"2", "3"}
    outcome, _, _ = examine(classes=("sit", "cloud"))
    assert outcome.code == 1
    assert "error: actors: 'cloud' is no label of the data set; its labels are run, sit" in outcome.err
    outcome, _, _ = examine("actors=person", classes=("bird",))
    assert "error: drawn.safetensors: finds no 'person'; it finds bird" in outcome.err


def test_the_least_score_is_told(command):
    told = " ".join(command("test-persons", "--help").out.replace("│", " ").split())
    assert f"Boxes count from a score of {LEAST_SCORE} on" in told


def test_a_detector_of_detectron2(command, data, tmp_path):
    write(tmp_path / "model.pkl", little_arrays())
    sizes = ("detector.min_size=96", "detector.max_size=128")
    start = ("test-persons", "small", f"data={data}", "out=run", *sizes, "--model", "model.pkl")
    outcome = command(*start)
    assert outcome.code == 0
    assert "5 key frames, 10 in the truth: person" in outcome.out
    outcome = command(*start, "--detectron2", "nowhere.yaml")
    assert outcome.code == 1
    assert "nowhere.yaml: cannot be read" in outcome.err


def test_two_processes_train_and_test(data, tmp_path):
    def start(*arguments):
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "slowfast_det"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run([*command, *map(str, arguments)], env=environment, capture_output=True, timeout=240)
        assert done.returncode == 0, done.stderr.decode()
        return done

    out = f"out={tmp_path / 'run'}"
    trained = start("train-persons", "small", f"data={data}", out, *QUICK)
    assert trained.stdout.count(b"last.safetensors") == 1
    tested = start("test-persons", "small", f"data={data}", out, "--model", tmp_path / "run" / "last.safetensors")
    assert tested.stdout.count(b"AP50") == 1
    report = json.loads((tmp_path / "run" / "test-persons" / "report.json").read_text())
    assert report["key_frames"] == {"annotated": 5, "missed": 0}


def test_frames_and_their_mirror_images(key_frames):
    plain, flipped = (PersonSamples(key_frames, FrameVariationConfig(flip=share)) for share in (0.0, 1.0))
    for index in range(len(key_frames)):
        one, other = plain[Draw(0, index)], flipped[Draw(0, index)]
        np.testing.assert_array_equal(one.image[:, ::-1], other.image)
        width = one.image.shape[1]
        np.testing.assert_allclose(one.boxes[:, [0, 2]], width - other.boxes[:, [2, 0]])
        with open_film(key_frames.film(index).path) as film:
            moment = key_frames.times[index]
            shown = [frame for frame in film.frames() if float(frame.time) <= moment + 1 / 60 + 1e-9][-1]
            np.testing.assert_array_equal(one.image, shown.rgb())
    batch = collate([plain[Draw(0, 0)], plain[Draw(0, 1)]])
    assert (batch.weight, len(batch.boxes), batch.images[0].shape[0]) == (2, 2, 3)
    assert [classes.tolist() for classes in batch.classes] == [[0, 0], [0, 0]]


def test_frames_with_nobody_are_examples_too(changed_data):
    lines = "a,0.5,0.1,0.2,0.5,0.9,1\na,1\nc,0.5\na,1.5,0.2,0.2,0.6,0.9,2\na,2,0.3,0.3,0.3,0.9,1\n"
    frames = read_actor_frames(read_data_set(changed_data({"train.csv": lines})), "train", ["person"])
    assert [len(frames.persons(index)[0]) for index in range(len(frames))] == [1, 0, 0, 1, 1]
    assert all(late >= early for early, late in pairwise(frames.starts))
    samples = PersonSamples(frames)
    assert [len(samples[Draw(0, index)].boxes) for index in range(5)] == [1, 0, 0, 1, 0]  # one box has no area
    recipe = read_person_recipe("small", (f"data={changed_data()}", *QUICK))
    task = prepare_person_training(recipe).task
    loss = task.losses(task.network.train(), collate([samples[Draw(0, index)] for index in (1, 2)]))
    assert loss.shape == (2,)
    assert loss.isfinite().all()


def sizes_seen(task, look):
    """Heights of the frames that a detector's network sees."""
    seen = []
    hook = task.network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2]))
    look()
    hook.remove()
    return seen


def test_sizes_are_drawn_in_training_alone(data):
    """Multiples of 32, to which frames are padded; tests have the detector's own."""
    settings = (f"data={data}", *QUICK, "augmentation.min_size=[32,64,128]", "detector.max_size=200")
    recipe = read_person_recipe("small", (*settings, "detector.min_size=96"))
    task = prepare_person_training(recipe).task
    batch = collate([task.samples[Draw(0, 0)]])
    assert batch.images[0].shape[1:] == (48, 64)
    torch.manual_seed(0)
    drawn = sizes_seen(task, lambda: [task.losses(task.network.train(), batch) for _ in range(20)])
    assert set(drawn) == {32, 64, 128}
    task.evaluation = lambda detector, world: detector([np.zeros((48, 64, 3), np.uint8)] * 20) and {}
    assert set(sizes_seen(task, lambda: task.evaluate(task.network.eval(), CPU))) == {96}


def test_colours_are_varied(key_frames):
    plain, varied = (PersonSamples(key_frames, FrameVariationConfig(flip=0, colour=colour)) for colour in (0.0, 0.3))
    shown = plain[Draw(0, 0)]
    tinted = [varied[Draw(epoch, 0)] for epoch in range(5)]
    for one in tinted:
        change = np.abs(one.image.astype(float) - shown.image)
        assert (change <= 0.3 * shown.image + 0.15 * 255 + 1).all()
        assert change.max() > 2
        np.testing.assert_array_equal(one.boxes, shown.boxes)
    assert len({one.image.tobytes() for one in tinted}) == 5


@pytest.mark.parametrize(("frames_kept", "read"), [(0, 6), (1.5, 4), (9, 3)], ids=["none", "two", "all"])
def test_frames_are_kept_up_to_a_limit(key_frames, monkeypatch, frames_kept, read):
    """Three frames, twice; what is kept may reach over the limit by one frame."""
    calls = []
    plain = persons.read_clip
    monkeypatch.setattr(persons, "read_clip", lambda *rest, **more: calls.append(rest) or plain(*rest, **more))
    samples = PersonSamples(key_frames, memory=frames_kept * 48 * 64 * 3)
    for index in (0, 1, 2, 0, 1, 2):
        samples[Draw(0, index)]
    assert len(calls) == read


def test_persons_of_films_that_cannot_be_read_do_not_count(changed_data, data, stub):
    lines = (data / "test.csv").read_text() + "gone,1,0.1,0.2,0.5,0.9,1\n"
    examination = prepare_person_examination(read_data_set(changed_data({"test.csv": lines})), "test", ["person"])
    tested = run_person_test(examination, stub([(0.1, 0.2, 0.5, 0.9), (0.55, 0.1, 0.95, 0.8)]), CPU)
    assert tested.figures.per_class["truth"].tolist() == [10]
    assert tested.figures.ap == pytest.approx(1)
    assert "1 of 2 films are missing: gone" in " ".join(examination.notes)


@pytest.mark.parametrize("size", [(2, 2000), (2000, 2), (1, 400)], ids=str)
def test_frames_of_which_hardly_a_pixel_is_left(data, size):
    """As inference sees them: torchvision's own training fails at them."""
    task = prepare_person_training(read_person_recipe("small", (f"data={data}", *QUICK))).task
    height, width = size
    box = np.array([[0, 0, width / 2, height]])
    frame = Portrait("thin", np.zeros((height, width, 3), np.uint8), box, np.zeros(1, np.int64))
    loss = task.losses(task.network.train(), collate([frame, frame]))
    assert loss.isfinite().all()


def test_predicted_boxes_are_nobodys_truth(changed_data):
    split = {"truth": "train.csv", "boxes": "boxes.csv"}
    folder = changed_data({"boxes.csv": "a,0.5,0,0,1,1,,0.99\n"}, splits={"train": split})
    assert len(read_actor_frames(read_data_set(folder), "train", ["person"]).boxes) == 30


@pytest.mark.parametrize("name", config_names("persons"))
def test_packaged_recipes(command, name):
    recipe = read_person_recipe(name)
    assert read_person_recipe(f"persons/{name}") == recipe
    printed = command("config", f"persons/{name}", "training.epochs=3")
    assert printed.code == 0
    assert "epochs: 3" in printed.out
    assert "# Shorter sides of which one is drawn" in printed.out
    assert (recipe.init is None) == (name == "small")
    assert f"persons/{name}" in command("config").out.splitlines()


@pytest.mark.parametrize("text", ["actors: [bird]\n", "detector: {min_size: 64}\n"], ids=["actors", "detector"])
def test_files_of_recipes_are_told_by_their_keys(command, tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    printed = command("config", "mine.yaml", "training.epochs=3")
    assert printed.code == 0
    (tmp_path / "whole.yaml").write_text(printed.out)
    assert read_person_recipe(tmp_path / "whole.yaml") == read_person_recipe(
        tmp_path / "mine.yaml", ["training.epochs=3"]
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("train-persons resnet", "resnet: no such config; did you mean resnet50?"),
        ("train-persons persons/resnet", "persons/resnet: no such config; did you mean persons/resnet50?"),
        ("train-persons folder/nope", "folder/nope: no such config; a yaml file or one of mobilenet, resnet50, small"),
        ("config persons/nope", "one of persons/mobilenet, persons/resnet50, persons/small is expected"),
        ("config small", "small: no recipe of an action detector (train, test); persons/small is one of a person"),
        ("train small", "persons/small is one of a person detector (train-persons, test-persons)"),
        ("train persons/small", "persons/small is one of a person detector (train-persons, test-persons)"),
        ("train-persons tiny", "tiny: no recipe of a person detector (train-persons, test-persons); tiny is one of an"),
    ],
)  # fmt: skip
def test_a_name_of_no_recipe(command, arguments, sentence):
    outcome = command(*arguments.split())
    assert outcome.code == 1
    assert outcome.err.count("error: ") == 1
    assert sentence in outcome.err
