"""A data set's folder alone: what is chosen, and what comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from ava_tools.manifest import read_data_set
from slowfast_det import load_model, load_person_detector
from slowfast_det.automatic import facts, persons
from slowfast_det.automatic.estimate import seconds_of_training
from slowfast_det.automatic.facts import Facts, read_facts
from slowfast_det.automatic.persons import evenly
from slowfast_det.automatic.rules import choose
from slowfast_det.checkpoints.model import load_config, untrained_model
from slowfast_det.checkpoints.zoo import published_models
from slowfast_det.distributed import World
from slowfast_det.persons.torchvision_networks import build
from slowfast_det.recipe import read_recipe
from slowfast_det.training.actions import prepare_training

CPU, GPU = torch.device("cpu"), torch.device("cuda")
QUICK = ("training.epochs=1", "training.precision=fp32", "clip.num_frames=4", "clip.short_side=32", "network.width=8")


def labels(*names):
    return Labels(tuple(Action(number, name) for number, name in enumerate(names, start=1)))


SMALL = Facts(
    key_frames=400,
    persons=900,
    films=40,
    labels=labels("run", "sit"),
    examples={"run": 500, "sit": 400},
    short_side=480,
    frame_bytes=3 * 480 * 640,
    test_split="val",
    device=CPU,
    weights=None,
    detectors=(),
    memory=16_000_000_000,
    has_bf16=False,
    readers=1,
    notes=(),
)
AVA = next(model for model in published_models() if model.name == "mmaction2_slowfast_r50_8x8_ava22")


def chosen(**changes):
    choice = choose(replace(SMALL, **changes))
    return choice, dict(text.partition("=")[::2] for text in choice.settings)


# ---------------------------------------------------------------- rules


def test_every_choice_is_a_recipe_that_can_be_read():
    for changes in ({}, {"device": GPU}, {"device": GPU, "weights": AVA}, {"key_frames": 3}, {"key_frames": 100_000}):
        choice, _ = chosen(**changes)
        read_recipe(choice.recipe, choice.settings)
        assert all(decision.why and decision.value for decision in choice.decisions)


def test_weights_are_used_on_a_gpu():
    choice, settings = chosen(device=GPU, weights=AVA)
    assert choice.recipe == AVA.config
    assert settings["init"] == f'"{AVA.name}"'
    for changes in ({"weights": AVA}, {"device": GPU}):
        choice, settings = chosen(**changes)
        assert choice.recipe == "tiny"
        assert "init" not in settings


def test_weights_that_are_named_come_first():
    choice = choose(SMALL, AVA.name)
    assert (choice.recipe, f'init="{AVA.name}"' in choice.settings) == (AVA.config, True)


def test_what_a_published_network_has_of_its_own_is_kept():
    choice = choose(SMALL, "pyslowfast_slow_r50_4x16_ava22")
    assert not read_recipe(choice.recipe, choice.settings).network.aligned


def test_a_file_of_weights_says_its_network(tmp_path):
    config = load_config("tiny")
    config = config.model_copy(update={"network": config.network.model_copy(update={"width": 24})})
    path = tmp_path / "own model.safetensors"
    untrained_model(config).save(path)
    choice = choose(SMALL, str(path))
    recipe = read_recipe(choice.recipe, choice.settings)
    assert (recipe.network.width, recipe.init, recipe.training.frozen_stages) == (24, str(path), 3)


@pytest.mark.parametrize("init", ["pyslowfast_slowfast_r50_8x8_k400", "weights.pth"])
def test_weights_that_do_not_say_their_network_need_a_recipe(init, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = untrained_model("mmaction2_slowonly_r50_4x16").network.state_dict()
    torch.save(
        {f"backbone.{name}" if "backbone" not in name else name: value for name, value in state.items()}, "weights.pth"
    )
    with pytest.raises(InputError, match=r"name one: slowfast-det train slowfast_r50_8x8 data=FOLDER init="):
        choose(SMALL, init)


@pytest.mark.parametrize(("key_frames", "epochs", "batch"), [(3, 100, 1), (40, 100, 8), (400, 16, 8), (50_000, 6, 8)])
def test_small_data_are_seen_more_often(key_frames, epochs, batch):
    _, settings = chosen(key_frames=key_frames)
    assert (settings["training.epochs"], settings["training.batch"]) == (str(epochs), str(batch))


@pytest.mark.parametrize(("key_frames", "frozen"), [(499, "3"), (500, "0")])
def test_few_key_frames_leave_early_stages_alone(key_frames, frozen):
    _, settings = chosen(key_frames=key_frames, device=GPU, weights=AVA)
    assert settings["training.frozen_stages"] == frozen


@pytest.mark.parametrize(("examples", "balanced"), [((500, 60), False), ((500, 49), True), ((500, 0), False)])
def test_rare_actions_count_more(examples, balanced):
    _, settings = chosen(examples=dict(zip(("run", "sit"), examples, strict=True)))
    assert (settings.get("training.loss.kind") == "focal") == balanced


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("walk left", "walk right", "sit"), {"augmentation.flip_pairs": [["walk left", "walk right"]]}),
        (("Kick_Right", "kick_left"), {"augmentation.flip_pairs": [["Kick_Right", "kick_left"]]}),
        (("go left, now", "go right, now"), {"augmentation.flip_pairs": [["go left, now", "go right, now"]]}),
        (("leftover", "bright"), {}),
        (("turn left", "sit"), {"augmentation.flip": 0}),
    ],
)  # fmt: skip
def test_sides_change_in_the_mirror(names, expected):
    choice, settings = chosen(labels=labels(*names))
    found = {key: json.loads(value) for key, value in settings.items() if key.startswith("augmentation.flip")}
    assert found == expected
    read_recipe(choice.recipe, choice.settings)


def test_clips_are_kept_where_they_fit():
    assert "training.memory" in chosen()[1]
    assert "training.memory" not in chosen(key_frames=40_000)[1]
    assert "training.memory" not in chosen(memory=0)[1], "where it is not known"
    needed = 400 * 8 * SMALL.frame_bytes
    assert "training.memory" in chosen(memory=4 * needed)[1]
    assert "training.memory" not in chosen(memory=4 * needed, readers=2)[1], "each keeps its own"
    assert "training.memory" not in chosen(memory=4 * needed, device=GPU, weights=AVA)[1], "of clips of 32 frames"


@pytest.mark.parametrize(("short_side", "chosen_side"), [(48, 64), (100, 100), (480, 128)])
def test_frames_are_no_larger_than_the_films(short_side, chosen_side):
    _, settings = chosen(short_side=short_side)
    assert settings["clip.short_side"] == str(chosen_side)
    assert settings["augmentation.short_side"] == f"[{chosen_side}, {chosen_side}]"
    assert "clip.short_side" not in chosen(short_side=short_side, device=GPU, weights=AVA)[1]


def test_arithmetic_and_rate():
    assert chosen(has_bf16=True)[1]["training.precision"] == "bf16"
    assert chosen()[1]["training.precision"] == "fp32"
    assert chosen()[1]["training.schedule.lr"] == "0.004"
    assert chosen(device=GPU, weights=AVA)[1]["training.schedule.lr"] == "0.001"


def test_things_are_taken_from_all_over():
    assert evenly(range(10), 3) == (0, 3, 6)
    assert evenly(range(3), 10) == (0, 1, 2)


# ---------------------------------------------------------------- facts


def test_facts_of_a_data_set(changed_data, monkeypatch, tmp_path):
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path / "home"))
    found = read_facts(read_data_set(changed_data()), World(CPU))
    assert (found.key_frames, found.persons, found.films) == (15, 30, 3)
    assert sum(found.examples.values()) == 30
    assert (found.short_side, found.frame_bytes) == (48, 3 * 48 * 64)
    assert (found.test_split, found.weights) == ("test", None)
    path = facts.stored_path(AVA)
    path.parent.mkdir(parents=True)
    path.touch()
    assert read_facts(read_data_set(changed_data()), World(CPU)).weights == AVA


def test_what_is_held_back_may_be_called_val(changed_data):
    splits = {"train": {"truth": "train.csv"}, "val": {"truth": "test.csv"}, "more": {"truth": "test.csv"}}
    assert read_facts(read_data_set(changed_data(splits=splits)), World(CPU)).test_split == "val"
    both = {"test": dict(splits["more"])} | splits
    assert read_facts(read_data_set(changed_data(splits=both)), World(CPU)).test_split == "val", "test is for the end"
    assert read_facts(read_data_set(changed_data(splits={"train": splits["train"]})), World(CPU)).test_split is None
    with pytest.raises(InputError, match=r"has no split 'train'; it has val"):
        read_facts(read_data_set(changed_data(splits={"val": splits["val"]})), World(CPU))


# ---------------------------------------------------------------- the whole way


@pytest.fixture
def train(command, monkeypatch, tmp_path):
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(persons, "_STEPS", 8)
    return lambda folder, *settings: command("train", folder, *QUICK, *settings)


def test_one_folder_is_enough(train, command, changed_data, data):
    folder = changed_data()
    outcome = train(folder)
    assert outcome.code == 0, outcome.err
    assert "tiny, from scratch" in outcome.err
    assert outcome.err.count("tested after epoch") == 0, "what is held back is tested once, at the end"
    assert "person detector: no weights of torchvision's are here; one is trained on these boxes" in outcome.err
    assert "of 10 persons on 5 key frames at IoU 0.5" in outcome.err
    assert outcome.out.splitlines()[-2:] == [str(folder / "best.safetensors"), str(folder / "report.html")]
    model = load_model(folder / "best.safetensors")
    assert len(model.thresholds) == 4
    assert model.companion is not None
    predicted = command("predict", data / "films" / "d.mp4", "--model", folder / "best.safetensors", "--save", "jsonl")
    assert predicted.code == 0, predicted.err
    detector = load_person_detector(folder / "best.safetensors")
    assert detector.classes == ("person",)
    done = train(folder)
    assert (done.code, done.out) == (0, "")
    assert f"{folder / 'run' / 'best.safetensors'} was trained on this data with these settings" in done.err
    again = train(folder, "training.seed=1")
    assert again.code == 0, again.err
    assert (folder / "run-2" / "best.safetensors").is_file()
    assert again.out.splitlines()[-2:] == outcome.out.splitlines()[-2:], "the newest has the plain name"
    (folder / "report.html").write_text("somebody's own")
    third = train(folder, "training.seed=2")
    assert third.out.splitlines()[-2:] == [str(folder / "best.safetensors"), str(folder / "report-2.html")]
    assert (folder / "report.html").read_text() == "somebody's own"


def test_a_run_that_was_cut_off_is_gone_on_with(train, changed_data, monkeypatch):
    folder = changed_data()
    monkeypatch.setattr("slowfast_det.automatic.run._finished", lambda *_: 1 / 0)
    assert train(folder).code == 1
    monkeypatch.undo()
    monkeypatch.setattr(persons, "_STEPS", 8)
    outcome = train(folder)
    assert outcome.code == 0, outcome.err
    assert f"going on with {folder / 'run'}, which was cut off" in outcome.err
    assert outcome.err.count("nothing is left to train") == 2
    assert not (folder / "run-2").exists()


def test_other_data_or_settings_begin_anew(train, changed_data, monkeypatch):
    folder = changed_data()
    monkeypatch.setattr("slowfast_det.automatic.run._finished", lambda *_: 1 / 0)
    assert train(folder).code == 1
    assert train(folder, "training.clip_gradient=4").code == 1
    text = (folder / "train.csv").read_text()
    (folder / "train.csv").write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert train(folder).code == 1
    assert sorted(path.name for path in folder.glob("run*")) == ["run", "run-2", "run-3"]


def test_what_the_user_says_is_shown():
    choice = choose(SMALL).changed(["training.epochs=5", "training.ema=0.9"])
    told = {decision.what: (decision.value, decision.why) for decision in choice.decisions}
    assert told["epochs"] == ("training.epochs=5", "you say so")
    assert told["besides"] == ("training.ema=0.9", "you say so")
    assert choice.settings == choose(SMALL).settings, "what was chosen comes before it"


def test_tests_on_the_way_are_made_where_they_are_asked_for(train, changed_data):
    outcome = train(changed_data(), "training.evaluate_every=1")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("tested after epoch 1.00: mean_ap") == 1


@pytest.mark.parametrize(("recall", "trained"), [(0.95, False), (0.85, True)])
def test_a_detector_that_is_here_is_judged(train, changed_data, monkeypatch, recall, trained):
    """torchvision's weights stand in for by drawn ones; how good they are is made up."""
    torch.manual_seed(0)
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    state = build(name, 91, min_score=0.05).state_dict()
    monkeypatch.setattr(persons, "published_state", lambda _: state)
    monkeypatch.setattr("slowfast_det.persons.torchvision_rcnn.published_state", lambda _: state)
    monkeypatch.setattr("slowfast_det.automatic.facts.DETECTORS", (name,))
    monkeypatch.setattr("slowfast_det.automatic.facts.cached_path", lambda _: Path(__file__))
    monkeypatch.setattr(persons, "_judge", lambda *_: (recall, 0.45))
    folder = changed_data()
    outcome = train(folder)
    assert outcome.code == 0, outcome.err
    assert ("another one is trained on these boxes" in outcome.err) == trained
    about = json.loads(load_model(folder / "best.safetensors").companion.metadata["detector"])
    assert about["network"] == ("small_faster_rcnn" if trained else name)
    assert about["min_score"] == 0.45
    assert (about["classes"][0], len(about["classes"])) == ("person", 1 if trained else 90)


@pytest.mark.parametrize("problem", ["after the film", "a film that is cut off"])
def test_what_only_lacks_is_no_reason_to_refuse(train, changed_data, data, problem):
    lines = (data / "train.csv").read_text()
    folder = changed_data({"train.csv": lines + "a,99,0.1,0.1,0.5,0.5,1,0\n"} if problem == "after the film" else {})
    if problem != "after the film":
        (folder / "films" / "a.mp4").write_bytes((data / "films" / "a.mp4").read_bytes()[:900])
    outcome = train(folder)
    assert outcome.code == 0, outcome.err


def test_the_estimate_grows_with_the_steps(changed_data):
    data = changed_data()
    settings = [f"data={data}", "clip.num_frames=4", "clip.short_side=32", "network.width=8", "training.batch=5"]
    times = []
    for epochs in (1, 100):
        task = prepare_training(read_recipe("tiny", [*settings, f"training.epochs={epochs}"])).task
        times.append(seconds_of_training(task))
    assert 5 < times[1] / times[0] < 2000


def test_weights_to_start_from_are_shown(train, changed_data):
    folder = changed_data()
    assert train(folder).code == 0
    outcome = train(folder, f"init={folder / 'best.safetensors'}")
    assert outcome.code == 0, outcome.err
    assert "that of best.safetensors" in outcome.err
    assert "loaded" in outcome.err
    assert outcome.out.splitlines()[-2] == str(folder / "best.safetensors")


def test_weights_that_are_not_there_are_told_at_once(train, changed_data):
    folder = changed_data()
    outcome = train(folder, "init=nonsense")
    assert (outcome.code, "neither a file nor the name of published weights" in outcome.err) == (1, True)
    assert not list(folder.glob("run*"))


def test_a_detector_that_is_named_is_used(train, changed_data, tmp_path):
    folder = changed_data()
    assert train(folder).code == 0
    detector = folder / "run" / "persons.safetensors"
    other = changed_data()
    outcome = train(other, f"persons.source={detector}")
    assert outcome.code == 0, outcome.err
    assert "persons.safetensors finds" in outcome.err
    assert "one is trained" not in outcome.err


@pytest.mark.parametrize(
    ("files", "settings", "code", "sentence"),
    [
        ({"train.csv": "a,1,0.5,0.5,0.1,0.1,1,0\n"}, (), 1, "train.csv, line 1:"),
        ({}, ("data=x",), 2, "data= is of a recipe"),
        ({}, ("training.epoch=3",), 1, "training.epoch is no setting"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(train, changed_data, files, settings, code, sentence):
    folder = changed_data(files)
    outcome = train(folder, *settings)
    assert outcome.code == code
    assert sentence in outcome.err
    assert not list(folder.glob("run*/**/*.safetensors"))


def test_films_without_persons_in_their_place(train, changed_data):
    """Missing films are left out and told; nothing else changes."""
    folder = changed_data()
    (folder / "films" / "a.mp4").unlink()
    outcome = train(folder)
    assert outcome.code == 0, outcome.err
    assert "1 of 3 films are missing: a" in outcome.err


def test_thresholds_and_the_persons_score_are_in_the_file(train, changed_data, monkeypatch):
    chosen = {1: 0.11, 2: 0.22, 3: 0.33, 4: 0.44}
    asked = []
    monkeypatch.setattr("ava_tools.evaluation.Report.thresholds", lambda _, *bounds: asked.append(bounds) or chosen)
    folder = changed_data()
    assert train(folder, "persons.min_score=0.25").code == 0
    model = load_model(folder / "best.safetensors")
    assert model.thresholds == (0.11, 0.22, 0.33, 0.44)
    assert asked[-1] == (0.3, 0.1)
    assert json.loads(model.companion.metadata["detector"])["min_score"] == 0.25
