"""The loop: interrupted, resumed, cut in pieces, in two processes, with losses that are no numbers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ava_tools.errors import InputError
from slowfast_det.distributed import World
from slowfast_det.training.actions import prepare_training
from slowfast_det.training.loop import train
from slowfast_det.training.run import run_training

EXACT = ("network.dropout=0", "training.freeze_norm=true")


def command(recipe_file, data, out, *settings, processes=0):
    """A training as a process of its own."""
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes else []
    arguments = ["-m", "slowfast_det", "train", recipe_file, f"data={data}", f"out={out}", *settings]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *start, *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def session_of(process) -> list[int]:
    """Processes that a training has started, itself included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == process.pid and fields[0] != "Z":
                found.append(int(entry.parent.name))
    return found


def entries(folder: Path) -> int:
    log = folder / "log.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def wait_for(condition, process):
    begin = time.monotonic()
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() - begin < 60
        time.sleep(0.01)


def test_killed_and_resumed_is_never_killed(run, steps_of, recipe_file, data, tmp_path):
    settings = ("training.epochs=20", "training.save_minutes=0", "training.seed=3", "training.ema=0.9")
    process = command(recipe_file, data, tmp_path / "killed", *settings)
    wait_for(lambda: entries(tmp_path / "killed") > 8, process)
    process.kill()
    process.wait()
    assert entries(tmp_path / "killed") < 60
    whole, _ = run(*settings, out="whole")
    killed, _ = run(*settings, "resume=true", out="killed")
    assert steps_of(killed) == steps_of(whole)
    assert len(steps_of(whole)) == 20 * 3
    theirs, ours = (load_file(folder / "last.safetensors") for folder in (whole, killed))
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_sigterm_saves_and_ends(steps_of, run, recipe_file, data, tmp_path):
    process = command(recipe_file, data, tmp_path / "run", "training.epochs=500")
    wait_for(lambda: entries(tmp_path / "run") > 2, process)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"is saved: resume=true goes on" in told
    assert b"Traceback" not in told
    done = len(steps_of(tmp_path / "run"))
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == done
    assert (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_all_processes_save_too(steps_of, recipe_file, data, tmp_path, number):
    """As a terminal and a batch system send them: the reading workers hear them as well."""
    process = command(recipe_file, data, tmp_path / "run", "training.epochs=5000", "training.workers=1")
    wait_for(lambda: entries(tmp_path / "run") > 2, process)
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"is saved: resume=true goes on" in told, told.decode()
    done = len(steps_of(tmp_path / "run"))
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == done


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's list of processes")
def test_workers_end_with_a_training_that_is_killed(recipe_file, data, tmp_path):
    process = command(recipe_file, data, tmp_path / "run", "training.epochs=5000", "training.workers=2")
    wait_for(lambda: entries(tmp_path / "run") > 2, process)
    assert len(session_of(process)) >= 4  # the training, the server, two workers
    process.kill()
    process.wait()
    begin = time.monotonic()
    while session_of(process):
        assert time.monotonic() - begin < 30
        time.sleep(0.1)


def test_a_test_that_fails_costs_nothing(read_recipe_of, steps_of):
    """The state is saved before it; resuming begins with the test that is due."""
    recipe = read_recipe_of("training.epochs=1")
    preparation = prepare_training(recipe)
    preparation.task.evaluation = lambda model, world: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run_training(recipe, preparation.task, World(torch.device("cpu")))
    again = recipe.model_copy(update={"resume": True})
    outcome = run_training(again, prepare_training(again).task, World(torch.device("cpu")))
    assert set(outcome.figures) == {"mean_ap"}
    assert len(steps_of(Path(recipe.out))) == 3
    assert (Path(recipe.out) / "best.safetensors").exists()


def test_a_refused_resume_leaves_the_recipe_alone(run):
    folder, _ = run("training.epochs=1")
    before = (folder / "recipe.yaml").read_text()
    with pytest.raises(InputError):
        run("training.epochs=1", "network.width=16", "resume=true")
    assert (folder / "recipe.yaml").read_text() == before


def test_settings_that_change_on_the_way_count(run):
    run("training.epochs=1")
    folder, _ = run("training.epochs=2", "training.weight_decay=0.5", "training.momentum=0.1", "resume=true")
    groups = torch.load(folder / "state.pt", weights_only=True)["optimiser"]["param_groups"]
    assert [(group["weight_decay"], group["momentum"]) for group in groups] == [(0, 0.1), (0.5, 0.1)]


@pytest.mark.parametrize("spoil", ["plan", "optimiser", "step", "average", "generators"])
def test_a_state_of_another_form(run, spoil):
    folder, _ = run("training.epochs=1")
    content = torch.load(folder / "state.pt", weights_only=True)
    torch.save(content | {spoil: "nothing"}, folder / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt: "):
        run("training.epochs=2", "resume=true")


def test_a_run_is_not_replaced_unasked(run):
    run("training.epochs=1")
    with pytest.raises(InputError, match="holds a training already; resume=true goes on"):
        run("training.epochs=1")


def test_a_job_may_always_resume(run, steps_of, caplog):
    fresh, _ = run("resume=true", out="fresh")
    assert "state.pt does not exist: the training begins anew" in caplog.text
    usual, _ = run(out="usual")
    assert steps_of(fresh) == steps_of(usual)
    run("resume=true", out="usual")


def test_two_trainings_in_one_folder(run, read_recipe_of):
    from slowfast_det.training.run import owned

    recipe = read_recipe_of()
    with owned(Path(recipe.out)), pytest.raises(InputError, match="another process is at work there"):
        run()
    assert len(run()[1].figures) == 1


def test_resuming_with_another_order_of_samples(run):
    run("training.epochs=1")
    with pytest.raises(
        InputError, match=r"state\.pt: batch was 4 and is 3, seed was 0 and is 5; a training goes on only"
    ):
        run("training.batch=3", "training.seed=5", "resume=true")


def test_more_epochs_go_on(run, steps_of):
    run("training.epochs=1", "training.schedule.warmup_epochs=0")
    more, _ = run("training.epochs=2", "training.schedule.warmup_epochs=0", "resume=true")
    whole, _ = run("training.epochs=2", "training.schedule.warmup_epochs=0", out="whole")
    assert steps_of(more) == steps_of(whole)


def test_tensorboard_where_it_is_installed(run, monkeypatch):
    told = []

    class Writer:
        def __init__(self, folder, purge_step):
            told.append((Path(folder).name, purge_step))

        def add_scalar(self, name, value, step):
            told.append((name, step))

        def close(self):
            told.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", type(sys)("fake"))
    sys.modules["torch.utils.tensorboard"].SummaryWriter = Writer
    run("training.epochs=1")
    assert told[0] == ("tensorboard", 0)
    assert {("step/loss", 0), ("step/lr", 2), ("test/mean_ap", 2)} <= set(told)
    assert told[-1] == "closed"


def test_resuming_with_another_network(run):
    run("training.epochs=1")
    with pytest.raises(InputError, match="does not fit the recipe's network"):
        run("network.width=16", "resume=true")
    with pytest.raises(InputError, match=r"state\.pt: keeps no average \(ema\); the recipe differs$"):
        run("training.ema=0.9", "resume=true")


@pytest.mark.parametrize("settings", [("training.accumulate=2",), ("training.accumulate=4",)])
def test_pieces_add_up(run, steps_of, settings):
    whole, _ = run(*EXACT, out="whole")
    pieces, _ = run(*EXACT, *settings, out="pieces")
    np.testing.assert_allclose(steps_of(pieces), steps_of(whole), rtol=2e-5)


def test_two_processes_are_one(run, steps_of, recipe_file, data, tmp_path):
    """Same losses, gradients and weights as one process with the whole batch."""
    settings = (*EXACT, "training.schedule.lr=0.001", "training.evaluate_every=1")
    one, _ = run(*settings, out="one")
    process = command(recipe_file, data, tmp_path / "two", *settings, processes=2)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told.decode()
    np.testing.assert_allclose(steps_of(tmp_path / "two"), steps_of(one), rtol=1e-5, atol=1e-6)
    theirs, ours = (load_file(folder / "last.safetensors") for folder in (one, tmp_path / "two"))
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=0, atol=1e-6)
    assert told.count(b"tested after epoch") == 2


def test_a_loss_that_is_no_number_names_its_clip(read_recipe_of, tmp_path):
    recipe = read_recipe_of()
    preparation = prepare_training(recipe)
    samples = preparation.task.samples
    poisoned = samples.key_frames.name(7)
    read = samples.__class__.__getitem__

    class Poisoned(samples.__class__):
        def __getitem__(self, draw):
            sample = read(self, draw)
            return replace(sample, targets=sample.targets * np.float32("nan")) if sample.name == poisoned else sample

    preparation.task.samples = Poisoned(**{name: getattr(samples, name) for name in ("key_frames", "clip")},
                                        augmentation=samples.augmentation, mirrored=samples.mirrored)  # fmt: skip
    with pytest.raises(InputError, match="is not finite because of") as caught:
        run_training(recipe, preparation.task, World(torch.device("cpu")))
    assert poisoned in str(caught.value)
    assert sum(samples.key_frames.name(index) in str(caught.value) for index in range(len(samples))) == 1


def test_more_processes_than_clips(read_recipe_of, tmp_path):
    recipe = read_recipe_of("training.batch=2", "training.accumulate=4")
    with pytest.raises(InputError, match="a batch of 2 samples cannot be shared by 1 processes in 4 pieces"):
        train(prepare_training(recipe).task, recipe.training, World(torch.device("cpu")), tmp_path)


def test_gpu_settings_without_gpu(run):
    with pytest.raises(InputError, match=r"training\.sync_norm needs GPUs; this training runs on the cpu"):
        run("training.sync_norm=true")


@pytest.mark.parametrize(
    "settings",
    [
        ("training.precision=bf16",),
        (
            "training.precision=bf16",
            "clip.num_frames=8",
            "network.width=32",
            "augmentation.short_side=[96,96]",
            "augmentation.crop=96",
            "training.schedule.lr=0.001",
        ),
        ("training.clip_gradient=1",),
        ("training.loss.kind=focal", "training.loss.class_balance=0.99"),
        ("training.ema=0.5", "training.schedule.kind=cosine"),
        ("augmentation.crop=null", "augmentation.colour=0.4", "augmentation.lighting=0.1"),
        ("training.workers=2",),
    ],
    ids=lambda settings: settings[-1],
)
def test_other_ways_to_train(run, steps_of, settings):
    learning = ("training.optimiser=adamw", "training.schedule.lr=0.005", "training.epochs=12")
    folder, outcome = run(*learning, *settings)
    losses = [loss for _, loss, _ in steps_of(folder)]
    assert len(losses) == 12 * 3
    assert np.mean(losses[-9:]) < 0.95 * np.mean(losses[:3])
    assert set(outcome.figures) == {"mean_ap"}
    assert sorted(path.name for path in folder.glob("[!.]*") if path.is_file()) == [
        "best.safetensors",
        "last.safetensors",
        "log.jsonl",
        "recipe.yaml",
        "state.pt",
    ]


def test_workers_change_nothing(run, steps_of):
    alone, _ = run(out="alone")
    helped, _ = run("training.workers=2", out="helped")
    assert steps_of(alone) == steps_of(helped)


def test_memory_changes_nothing(run, steps_of):
    forgetful, _ = run(out="forgetful")
    keeping, _ = run("training.memory=1", out="keeping")
    assert steps_of(forgetful) == steps_of(keeping)


def test_two_processes_have_the_gradients_of_one(run, recipe_file, data, tmp_path):
    """One plain step of length 1: the weights move by the gradient."""
    plain = ("training.momentum=0", "training.nesterov=false", "training.weight_decay=0", "training.epochs=1")
    plain += ("training.batch=14", "training.schedule.lr=1", "training.schedule.warmup_epochs=0", "test_split=none")
    one, _ = run(*EXACT, *plain, out="one")
    process = command(recipe_file, data, tmp_path / "two", *EXACT, *plain, processes=2)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told.decode()
    theirs, ours = (load_file(folder / "last.safetensors") for folder in (one, tmp_path / "two"))
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=0, atol=1e-6)
