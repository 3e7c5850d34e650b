"""``slowfast-det quickstart``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.cli.run import console

if TYPE_CHECKING:
    from slowfast_det.quickstart.examination import Findings

_FILES = (
    *("report.json", "report.html", "truth.csv", "detections.csv", "labels.csv", "persons.csv"),
    *("model.safetensors", "persons.safetensors", "unseen.mp4", "prediction.mp4", "prediction.csv"),
)


def quickstart(*, out: Path = Path("quickstart"), seed: int = 0) -> None:
    """Train and test a whole action detector on generated films: no weights, no downloads, about five minutes.

    Args:
        out: Folder for the films, the models, the detections and the report.
        seed: Decides films and weights.
    """
    from slowfast_det.quickstart.run import run_quickstart

    findings = run_quickstart(out, seed, console.print)
    print(_summary(findings))
    print()
    for name in _FILES:
        print(out / name)


def _summary(found: Findings) -> str:
    """The figures in words."""
    width = max(map(len, found.actions))
    lines = [
        f"frame mAP {found.mean_ap:.3f} on {found.test_films} held-out films with detected persons "
        f"({found.true_box_ap:.3f} with true ones, {found.chance_ap:.3f} by chance); person AP {found.person_ap:.3f}",
        f"motions (walk left, walk right, jump, wave): {found.motion_ap:.3f}; frames shuffled "
        f"{found.motion_ap_shuffled:.3f}, a single frame {found.motion_ap_single_frame:.3f}, "
        f"backwards {found.motion_ap_reversed:.3f}",
        "backwards, walking left by the scores of walking right and the other way round: "
        + ", ".join(f"{ap:.3f}" for ap in found.reversed_walks.values()),
        "",
        f"{'':{width}}  detected  true boxes  single frame",
        *(
            f"{name:{width}}  {ap['ap']:8.3f}  {ap['true_box_ap']:10.3f}  {ap['single_frame_ap']:12.3f}"
            for name, ap in found.actions.items()
        ),
        "",
        f"{found.seconds:.0f} s: " + ", ".join(f"{part} {seconds:.0f}" for part, seconds in found.parts.items()),
    ]
    return "\n".join(lines)
