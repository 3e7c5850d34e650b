"""The quickstart: a film is generated and predicted by an untrained network, with boxes that are known."""

from __future__ import annotations

from pathlib import Path

from slowfast_det.checkpoints.model import load_model, untrained_model
from slowfast_det.keyframe import Selection
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.pipeline import ActionDetector
from slowfast_det.quickstart.films import Scene, write_film
from slowfast_det.result_files import AnnotatedFilm, CsvFile, JsonlFile

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
    detector = ActionDetector(load_model(weights), PrecomputedBoxes(boxes))
    selection = Selection(min_score=0.3, top=3)
    files = (
        CsvFile(results[0], selection),
        JsonlFile(results[1], selection),
        AnnotatedFilm(results[2], film, selection),
    )
    try:
        for keyframe in detector.stream(film):
            for file in files:
                file.write(keyframe)
    finally:
        for file in files:
            file.close()
    return [film, boxes, weights, *results]
