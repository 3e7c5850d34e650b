"""The quickstart: a film is generated and predicted by an untrained network, with boxes that are known."""

from __future__ import annotations

from pathlib import Path

from slowfast_det.checkpoints.model import load_model, untrained_model
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.pipeline import ActionDetector
from slowfast_det.quickstart.films import Scene, write_film

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
    write_film(Scene(seed), film, boxes, seconds)
    torch.manual_seed(seed)
    untrained_model("tiny").save(weights)
    results = [out / f"prediction.{suffix}" for suffix in ("csv", "jsonl", "mp4")]
    result = ActionDetector(load_model(weights), PrecomputedBoxes(boxes))(film)
    for path in results:
        result.save(path, min_score=0.3, top=3)
    return [film, boxes, weights, *results]
