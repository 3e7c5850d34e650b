"""``slowfast-det quickstart``."""

from __future__ import annotations

from pathlib import Path

from ava_tools.cli.run import console


def quickstart(*, out: Path = Path("quickstart"), seed: int = 0) -> None:
    """Generate a film of walking figures and predict it: no weights, no download, under a minute.

    Args:
        out: Folder for the film, its boxes, the model and the predictions.
        seed: Decides the scene.
    """
    from slowfast_det.quickstart.run import CAVEAT, run_quickstart

    for path in run_quickstart(out, seed):
        print(path)
    console.print(CAVEAT)
