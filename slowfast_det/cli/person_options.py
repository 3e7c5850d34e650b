"""Options of person detectors, the same for every command that uses one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError
from ava_tools.labels import split_names

if TYPE_CHECKING:
    from slowfast_det.persons.protocol import MovablePersonDetector
    from slowfast_det.weights.files import WeightFile

DEFAULT = "fasterrcnn_resnet50_fpn_v2"
Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@Parameter(name="*", group=Group("Person detector", sort_key=1))
@dataclass(frozen=True)
class PersonOptions:
    """How persons are looked for.

    Attributes:
        persons: Person detector: a name of torchvision's, a file of its weights or of Detectron2's, or
            detectron2:CONFIG for Detectron2 itself. Default: the one that comes along with the model, as with those of
            `train DIR`; else fasterrcnn_resnet50_fpn_v2.
        person_score: Persons whose score lies above it are kept. Default: 0.8, or the detector's own (propose: 0.5).
        actors: What is looked for instead of persons: names of the detector's classes, separated by commas.
        max_persons: At most so many persons of a key frame, the best ones.
        min_side: Persons whose box is narrower or lower are dropped, pixels of the frame.
        max_overlap: Of two persons with a larger IoU only the better one is kept. Default: the detector's own.
        min_size: Pixels that the shorter side of the frame is resized to for the detector. Default: the detector's own.
        max_size: Pixels of its longer side at most, which wins. Default: the detector's own.
        detectron2: The config.yaml of the training that Detectron2's weights come from.
    """

    persons: str | None = None
    person_score: Share | None = None
    actors: str | None = None
    max_persons: Positive | None = None
    min_side: Annotated[float, Parameter(validator=Number(gte=0))] = 0.0
    max_overlap: Share | None = None
    min_size: Positive | None = None
    max_size: Positive | None = None
    detectron2: Path | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Which of them are given, as they are written on the command line."""
        defaults = PersonOptions()
        names = self.__dataclass_fields__
        return tuple(f"--{name.replace('_', '-')}" for name in names if getattr(self, name) != getattr(defaults, name))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that they name."""
        persons = self.persons or DEFAULT
        names = [persons] if Path(persons).is_file() else persons.removeprefix("detectron2:").split("@")
        paths = [*map(Path, names), *([self.detectron2] if self.detectron2 else [])]
        return tuple(path for path in paths if path.is_file())

    def load(
        self,
        precision: Precision,
        device: str,
        min_score: float | None = None,
        companion: WeightFile | None = None,
    ) -> MovablePersonDetector:
        """The detector, on its device.

        Args:
            precision, device: as on the command line.
            min_score: of persons where ``person_score`` is not given; None: the detector's own, see there.
            companion: the detector that comes along with a model, where ``persons`` names no other.

        Raises:
            MisuseError: ``actors`` names nobody.
            InputError: see `load_person_detector`.
        """
        actors = None if self.actors is None else split_names(self.actors)
        if actors == []:
            raise MisuseError(f"--actors {self.actors!r} names nobody; names separated by commas are expected")
        from slowfast_det.device import resolve_device
        from slowfast_det.persons.loading import load_person_detector

        return load_person_detector(
            self.persons or companion or DEFAULT,
            min_score if self.person_score is None else self.person_score,
            self.min_size,
            self.max_size,
            max_overlap=self.max_overlap,
            max_persons=self.max_persons,
            min_side=self.min_side,
            actors=actors,
            precision=precision,
            detectron2=self.detectron2,
        ).to(resolve_device(device))
