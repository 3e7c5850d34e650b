"""The quickstart: a film is generated and predicted by an untrained network, with boxes that are known."""

from __future__ import annotations

from pathlib import Path

from ava_tools.boxes import to_unit
from ava_tools.tables import format_timestamp
from slowfast_det.checkpoints.model import load_model, untrained_model
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.pipeline import ActionDetector
from slowfast_det.quickstart.films import unseen_scene, write_unseen_film

CAVEAT = "The network is untrained: the boxes are right, the scores mean nothing yet."


def run_quickstart(out: Path, seed: int = 0, seconds: float = 8) -> list[Path]:
    """Generate a film, save an untrained model, predict the film with the saved model.

    Args:
        out: folder for everything; it is created. Files of an earlier quickstart are replaced.
        seed: of the scene and of the weights.
        seconds: length of the film.

    Returns:
        The files, in the order in which they were made.
    """
    import torch

    out.mkdir(parents=True, exist_ok=True)
    film, boxes, weights = out / "walkers.mp4", out / "boxes.csv", out / "model.safetensors"
    write_unseen_film(film, seed, seconds=seconds)
    _write_boxes(boxes, seed, film.stem, seconds)
    torch.manual_seed(seed)
    untrained_model("tiny").save(weights)
    results = [out / f"prediction.{suffix}" for suffix in ("csv", "jsonl", "mp4")]
    result = ActionDetector(load_model(weights), PrecomputedBoxes(boxes))(film)
    for path in results:
        result.save(path, min_score=0.3, top=3)
    return [film, boxes, weights, *results]


def _write_boxes(path: Path, seed: int, video: str, seconds: float) -> None:
    """The figures' boxes at whole seconds, as AVA's person csv."""
    scene = unseen_scene(seed)
    with path.open("w", encoding="utf-8") as file:
        for time in range(int(seconds)):
            for box in to_unit(scene.boxes(time), scene.width, scene.height):
                coordinates = ",".join(f"{value:.4f}" for value in box)
                file.write(f"{video},{format_timestamp(time)},{coordinates},,1.0\n")
