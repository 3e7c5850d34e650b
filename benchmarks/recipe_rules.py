"""What backs the rules by which `slowfast-det train DIR` picks a recipe: trainings on generated films, side by side.

    python benchmarks/recipe_rules.py {steps,rate,frames,mirroring,balance,frozen} [--init FILE] [--seeds 1]

Each row is one training of `tiny` on the quickstart's kind of films and its mean AP with true boxes on 20 films that
it has not seen. `frozen` starts from weights of a model that learned five of the nine actions on other films (`--init`;
it is made first, and kept, where the file is not there) and trains on all nine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import torch

from ava_tools.tables import read_truth
from slowfast_det.distributed import World
from slowfast_det.quickstart.films import write_data_set
from slowfast_det.recipe import read_recipe
from slowfast_det.training.actions import prepare_training
from slowfast_det.training.run import run_training

TEST_FILMS, BATCH, RATE = 20, 8, 0.004
KEY_FRAMES = 4  # of a film
RARE = (6, 7, 9)  # actions of which the experiment of balance keeps a tenth: jump, wave, hug


def main() -> None:
    """Run one experiment and print its table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--init", type=Path, default=Path("five_actions.safetensors"))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for row in EXPERIMENTS[options.experiment](Path(folder), options):
            print(
                "  ".join(f"{value:>10.4g}" if isinstance(value, float | int) else f"{value:>10}" for value in row),
                flush=True,
            )


def steps(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """How long is worth it, by the size of the data."""
    yield "films", "steps", "epochs", "seed", "mean AP", "seconds"
    for films in (6, 24):
        for seed in range(options.seeds):
            data = generated(folder / f"{films}-{seed}", seed, films)
            for count in (200, 400, 800):
                epochs = max(1, round(count * BATCH / (films * KEY_FRAMES)))
                yield films, count, epochs, seed, *trained(data, [f"training.epochs={epochs}"])


def rate(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """The learning rate of fresh weights, and the batch."""
    yield "rate", "batch", "seed", "mean AP", "seconds"
    for seed in range(options.seeds):
        data = generated(folder / str(seed), seed, 18)
        for batch in (4, 8):
            for lr in (0.001, 0.004, 0.012):
                epochs = round(250 * batch / (18 * KEY_FRAMES))
                settings = [f"training.epochs={epochs}", f"training.batch={batch}", f"training.schedule.lr={lr}"]
                yield lr, batch, seed, *trained(data, settings)


def frames(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """How large frames are looked at, of films of 128 pixels."""
    yield "side", "seed", "mean AP", "seconds"
    for seed in range(options.seeds):
        data = generated(folder / str(seed), seed, 18)
        for side in (64, 96, 128):
            settings = ["training.epochs=28", f"clip.short_side={side}", f"augmentation.short_side=[{side}, {side}]"]
            yield side, seed, *trained(data, settings)


def mirroring(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """Mirrored clips of films in which walking to the left and to the right are two actions."""
    yield "mirroring", "seed", "mean AP", "seconds"
    ways = {"none": "augmentation.flip=0", "as it is": "augmentation.flip_pairs=[]", "swaps": "augmentation.flip=0.5"}
    for seed in range(options.seeds):
        data = generated(folder / str(seed), seed, 18)
        for name, setting in ways.items():
            yield name, seed, *trained(data, ["training.epochs=28", setting])


def balance(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """Weights by the number of examples, and the focal loss, where three actions have a tenth of their examples."""
    yield "loss", "balance", "seed", "mean AP", "seconds"
    for seed in range(options.seeds):
        data = generated(folder / str(seed), seed, 30)
        make_rare(data / "train.csv")
        for kind, beta in (("bce", 0), ("bce", 0.99), ("bce", 0.999), ("focal", 0)):
            settings = ["training.epochs=20", f"training.loss.class_balance={beta}", f"training.loss.kind={kind}"]
            yield kind, float(beta), seed, *trained(data, settings)


def frozen(folder: Path, options: argparse.Namespace) -> Iterator[Sequence[object]]:
    """How many stages to keep, and the learning rate, where weights of other actions are there to begin with."""
    if not options.init.is_file():
        data = generated(folder / "before", 99, 40)
        keep_actions(data, range(1, 6))
        trained(data, ["training.epochs=25"], options.init)
    yield "films", "frozen", "rate", "seed", "mean AP", "seconds"
    for films in (4, 16):
        for seed in range(options.seeds):
            data = generated(folder / f"{films}-{seed}", seed, films)
            for count, lr in ((None, RATE), (0, RATE), (0, RATE / 4), (3, RATE), (5, RATE)):
                start = [] if count is None else [f"init={options.init}", f"training.frozen_stages={count}"]
                epochs = round(160 * BATCH / (films * KEY_FRAMES))
                settings = [f"training.epochs={epochs}", f"training.schedule.lr={lr}", *start]
                yield films, "scratch" if count is None else count, lr, seed, *trained(data, settings)


def generated(folder: Path, seed: int, films: int) -> Path:
    """A data set of films."""
    write_data_set(folder, seed, films, TEST_FILMS)
    return folder


def make_rare(path: Path) -> None:
    """Leave nine of ten persons who do something rare out of a truth."""
    truth = read_truth(path)
    rare = truth.index[truth["action_id"].isin(RARE)]
    gone = set(rare) - set(rare[::10])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for number, line in enumerate(lines, start=1) if number not in gone))


def keep_actions(data: Path, ids: Sequence[int]) -> None:
    """Leave the examples of all other actions out."""
    for name in ("train.csv", "test.csv"):
        truth = read_truth(data / name)
        kept = set(truth.index[truth["action_id"].isin(ids)])
        lines = (data / name).read_text().splitlines(keepends=True)
        (data / name).write_text("".join(line for number, line in enumerate(lines, start=1) if number in kept))


def trained(data: Path, settings: Sequence[str], keep: Path | None = None) -> tuple[float, float]:
    """Mean AP on the test films, and seconds."""
    begin = perf_counter()
    with tempfile.TemporaryDirectory() as out:
        own = [
            f"data={data}",
            f"out={out}",
            "augmentation.flip_pairs=[[walk left, walk right]]",
            "training.memory=4",
            "training.precision=bf16",
        ]
        recipe = read_recipe("tiny", [*own, f"training.batch={BATCH}", "training.save_minutes=60", *settings])
        outcome = run_training(recipe, prepare_training(recipe).task, World(torch.device("cpu")))
        if keep is not None:
            keep.write_bytes((Path(out) / "last.safetensors").read_bytes())
    return outcome.figures["mean_ap"], round(perf_counter() - begin, 1)


EXPERIMENTS: dict[str, Callable[[Path, argparse.Namespace], Iterator[Sequence[object]]]] = {
    "steps": steps,
    "rate": rate,
    "frames": frames,
    "mirroring": mirroring,
    "balance": balance,
    "frozen": frozen,
}

if __name__ == "__main__":
    main()
