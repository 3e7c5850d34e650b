"""From annotated key frames to a trained person detector."""

from __future__ import annotations

from pathlib import Path

from torchvision.models.detection import FasterRCNN

from slowfast_det.distributed import World
from slowfast_det.recipe import TrainingConfig
from slowfast_det.training.key_frames import KeyFrames
from slowfast_det.training.loop import Outcome, train
from slowfast_det.training.tasks.persons import Evaluation, PersonSamples, PersonTask


def train_persons(
    network: FasterRCNN,
    key_frames: KeyFrames,
    settings: TrainingConfig,
    world: World,
    folder: Path,
    evaluation: Evaluation = lambda detector, world: {},
    *,
    colour: float = 0.0,
    resume: bool = False,
) -> Outcome:
    """Train a detector on the persons of key frames, whatever they do.

    Args:
        network: a Faster R-CNN of torchvision's form; it is changed in place.
        key_frames: frames and persons.
        settings: the optimisation.
        world: the processes that train together.
        folder: for the state, the log and ``last.safetensors``, which `load_person_detector` reads.
        evaluation: measures a detector on held-out frames.
        colour: largest change of brightness, and of each colour.
        resume: go on from the state in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = PersonSamples(key_frames, colour=colour, seed=settings.seed, memory=settings.memory * 1e9)
    return train(PersonTask(network, samples, settings, evaluation), settings, world, folder, resume)
