"""How often persons change their identities, on the true boxes of generated films in which they cross each other.

    python benchmarks/identities.py [--seed 0] [--films 10] [--seconds 30] [--pause 6] [--spacing 0.2 0.5 1.0]
        [--jitter 0.03] [--drop 0.05] [--colours]

`Association` gets the boxes of every figure of which enough is seen, without identities and in any order: first as
they are, then with sides off by 3 % of the box (a standard deviation) and 5 % of the boxes dropped. A figure-minute of
crossing is a minute in which a figure's box overlaps another's. With --colours it sees the pictures too, as in a
prediction. No film is written, no network is run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image
from ava_tools.metrics.average_precision import Ints
from ava_tools.metrics.identity import IdentityQuality, TrackedBoxes, identity_quality, summed
from slowfast_det.appearance import looks_of
from slowfast_det.association import Association
from slowfast_det.quickstart.crossings import crossing_minutes, crossing_scene, key_frames
from slowfast_det.quickstart.encounters import PAUSE
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH
from slowfast_det.quickstart.visibility import Seen, seen

MIN_IOU = 0.5


@dataclass(frozen=True)
class Film:
    """A film at some key frames: when, and who is seen."""

    times: tuple[float, ...]
    seen: tuple[Seen, ...]
    pictures: tuple[Image, ...] | None = None

    def truth(self) -> TrackedBoxes:
        """Everybody with the own identity."""
        return tracked([(each.figures, each.boxes) for each in self.seen])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--films", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds from one encounter to the next")
    parser.add_argument("--spacing", type=float, nargs="+", default=[0.2, 0.5, 1.0], help="seconds between key frames")
    parser.add_argument("--jitter", type=float, default=0.03, help="of a box's width or height")
    parser.add_argument("--drop", type=float, default=0.05, help="share of the boxes")
    parser.add_argument("--colours", action="store_true", help="whether the association sees the pictures")
    options = parser.parse_args()
    films, minutes = generated(options)
    table = Table(title=f"{options.films} films, {minutes:.1f} figure-minutes of crossing")
    columns = ("spacing", "boxes", "figures", "identities", "switches", "a minute of crossing", "transfers")
    for column in (*columns, "fragmentations", "MOTA", "IDF1"):
        table.add_column(column, justify="left" if column == "boxes" else "right")
    for jitter, drop in dict.fromkeys([(0.0, 0.0), (options.jitter, options.drop)]):
        for spacing in options.spacing:
            random = np.random.default_rng(options.seed)
            parts = (quality(film, random, jitter, drop, spacing) for film in films[spacing])
            table.add_row(*cells(summed(parts), spacing, f"jitter {jitter:g}, drop {drop:g}", minutes))
    Console().print(table)


def generated(options: argparse.Namespace) -> tuple[dict[float, list[Film]], float]:
    """The films at each spacing, and their figure-minutes of crossing."""
    films: dict[float, list[Film]] = {spacing: [] for spacing in options.spacing}
    minutes = 0.0
    for number in range(options.films):
        scene = crossing_scene(options.seed, number, options.seconds, options.pause)
        minutes += crossing_minutes(scene, options.seconds)
        views: dict[float, Seen] = {}
        for spacing in options.spacing:
            frames = list(key_frames(options.seconds, spacing))
            views |= {shown: seen(scene, shown) for _, shown in frames if shown not in views}
            pictures = tuple(scene.picture(shown) for _, shown in frames) if options.colours else None
            times, shown = tuple(time for time, _ in frames), tuple(views[moment] for _, moment in frames)
            films[spacing].append(Film(times, shown, pictures))
    return films, minutes


def quality(film: Film, random: np.random.Generator, jitter: float, drop: float, spacing: float) -> IdentityQuality:
    """What the association makes of the boxes of a film."""
    association = Association(aspect=WIDTH / HEIGHT)
    found = []
    for number, boxes in enumerate(disturbed(film, random, jitter, drop)):
        looks = None if film.pictures is None else looks_of(film.pictures[number], boxes)
        found.append((association.identify(boxes, film.times[number], looks=looks), boxes))
    return identity_quality(film.truth(), tracked(found), MIN_IOU, spacing)


def disturbed(film: Film, random: np.random.Generator, jitter: float, drop: float) -> Iterator[Boxes]:
    """The boxes of each key frame as a detector might give them."""
    for each in film.seen:
        boxes = random.permutation(each.boxes)
        boxes = boxes[random.random(len(boxes)) >= drop]
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        yield np.clip(boxes + jitter * sides * random.standard_normal(boxes.shape), 0, 1)


def tracked(frames: list[tuple[Ints, Boxes]]) -> TrackedBoxes:
    """Key frame by key frame, identities and boxes."""
    number = np.repeat(np.arange(len(frames)), [len(boxes) for _, boxes in frames])
    return TrackedBoxes(
        number,
        np.concatenate([persons for persons, _ in frames]).astype(np.int64),
        np.concatenate([boxes for _, boxes in frames]),
    )


def cells(found: IdentityQuality, spacing: float, boxes: str, minutes: float) -> list[str]:
    """A row of the table."""
    counts = (found.persons, found.identities, found.switches)
    others = (f"{found.transfers:,}", f"{found.fragmentations:,}", f"{found.mota:.4f}", f"{found.idf1:.4f}")
    return [f"{spacing:g} s", boxes, *(f"{count:,}" for count in counts), f"{found.switches / minutes:.2f}", *others]


if __name__ == "__main__":
    main()
