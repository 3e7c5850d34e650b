"""Entry point of ``slowfast-det``."""

from __future__ import annotations

import sys

from cyclopts import App

from ava_tools.cli.run import DEBUG_HELP, installed_version, run
from slowfast_det.allocation import keep_freed_memory, use_huge_pages

app = App(name="slowfast-det", help=f"Who does what in a video. {DEBUG_HELP}", version=installed_version)
app.command("slowfast_det.cli.predict:predict", help="Find the persons of films and what each of them does.")
app.command("slowfast_det.cli.train:train", help="Train an action detector or a classifier from video.")
app.command("slowfast_det.cli.test:test", help="Frame mAP of a detector, or top-1 and top-5 of a classifier.")
app.command("slowfast_det.cli.classify:classify", help="Say which class a film is of, or each moment of it.")
app.command("slowfast_det.cli.train_persons:train_persons", help="Train a person detector on annotated boxes.")
app.command("slowfast_det.cli.test_persons:test_persons", help="AP and recall of a person detector.")
app.command("slowfast_det.cli.propose:propose", help="Person boxes for a data set or films, to train and test on.")
app.command("slowfast_det.cli.convert:convert", help="Write a model as one file of ours, or as PySlowFast's.")
app.command("slowfast_det.cli.models:models", help="List published weights, and fetch them; what networks cost.")
app.command("slowfast_det.cli.export:export", help="Write a model as an ONNX file or a program of torch.export.")
app.command("slowfast_det.cli.config:config", help="Print a recipe with every key and what it means.")
app.command(
    "slowfast_det.cli.quickstart:quickstart",
    help="Train and test a whole detector on generated films, in five minutes.",
)
app.command("slowfast_det.cli.bench:bench", help="How fast everything is on this machine.")
app.command("slowfast_det.cli.doctor:doctor", help="What this machine has, and what the automatic choices are on it.")
app.command("slowfast_det.cli.example:example", help="Generated films with annotations, to try training on.")


def main() -> None:
    """Run ``slowfast-det``."""
    keep_freed_memory()
    use_huge_pages()
    sys.exit(run(app))
