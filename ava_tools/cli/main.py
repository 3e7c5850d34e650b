"""Entry point of ``ava-tools``."""

from __future__ import annotations

import sys

from cyclopts import App

from ava_tools.cli.run import DEBUG_HELP, installed_version, run

app = App(name="ava-tools", help=f"AVA's annotation files and metric. {DEBUG_HELP}", version=installed_version)
app.command("ava_tools.cli.evaluate:evaluate", help="Frame mAP of a detection file against a truth file.")
app.command(
    "ava_tools.cli.evaluate_boxes:evaluate_boxes", help="Recall of person boxes, and the frame mAP that they allow."
)
app.command(
    "ava_tools.cli.evaluate_identities:evaluate_identities", help="Whether persons keep their identities along a film."
)
app.command("ava_tools.cli.labels:labels", help="List AVA's 80 actions as csv.")
app.command("ava_tools.cli.convert:convert", help="Annotation files of other tools, to a data set folder and back.")
app.command("ava_tools.cli.validate:validate", help="Find what is wrong with a data set, and tell how to mend it.")
app.command("ava_tools.cli.prepare:prepare", help="Cut and re-encode films for training: quick to enter anywhere.")
app.command("ava_tools.cli.stats:stats", help="What a data set holds: persons, actions, boxes, key frames.")
app.command("ava_tools.cli.preview:preview", help="The truth of a data set, drawn: a sheet of key frames, or a film.")


def main() -> None:
    """Run ``ava-tools``."""
    sys.exit(run(app))
