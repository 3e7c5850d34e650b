"""The table of all checks of a data set, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ava_tools.validate import film_checks, row_checks, split_checks
from ava_tools.validate.contents import Contents, read_contents
from ava_tools.validate.finding import Finding, Place, Severity
from ava_tools.validate.key_frame_decoding import without_frame


class Check(NamedTuple):
    """One kind of finding.

    Attributes:
        name: what users call it.
        severity: of all its findings.
        find: where they are.
        mend: a sentence on what to do.
    """

    name: str
    severity: Severity
    find: Callable[[Contents], Iterable[Place]]
    mend: str


def _fault(name: str, severity: Severity, mend: str) -> Check:
    """A check that reading the files has done already."""
    return Check(name, severity, lambda contents: contents.faults.get(name, ()), mend)


CHECKS = (
    _fault("unreadable-file", "error", "Write the file anew, in the format that its key of dataset.yaml expects."),
    _fault("encoding", "error", "Save the file as UTF-8 text."),
    _fault("header-line", "error", "Delete the first line; the columns have no names."),
    _fault("separator", "error", "Save the file with commas between its columns."),
    _fault("column-count", "error", "Give the line the columns that are expected, or delete it."),
    _fault("unnamed-film", "error", "Write the name of the film into the first column, or delete the line."),
    _fault("not-a-number", "error", "Write a number, or delete the line; a column of persons has whole numbers too."),
    _fault("action-in-words", "error", "Write the number of the action that the list of labels gives it."),
    _fault(
        "spaces-in-name", "warning", "Delete the spaces; they are read over, but other tools take them for letters."
    ),
    _fault("label-list", "error", "List the actions as id,name lines of a csv, and name the file in dataset.yaml."),
    Check("box-inverted", "error", row_checks.inverted, "Write the upper left corner first: x1 <= x2 and y1 <= y2."),
    Check("box-outside", "error", row_checks.outside, "Cut the box at the frame, to numbers from 0 to 1."),
    Check("box-in-pixels", "error", row_checks.pixels, "Divide x by the film's width, and y by its height."),
    Check("box-flat", "warning", row_checks.flat, "Give the box a width and a height, or delete it."),
    Check(
        "action-unknown",
        "error",
        row_checks.unknown_actions,
        "Add the action to the list of labels, or write the id of one that is there.",
    ),
    Check(
        "actions-from-0",
        "error",
        row_checks.actions_from_zero,
        "Add 1 to every action_id of the file, or let the list of labels begin at 0 (id,name lines).",
    ),
    Check("duplicate-row", "error", row_checks.duplicates, "Delete one of the two; it would count twice in the mAP."),
    Check(
        "person-number",
        "error",
        row_checks.persons_that_are_no_numbers,
        "Write a whole number for each person, or leave the column out; scores belong to detections.",
    ),
    Check(
        "person-twice",
        "error",
        row_checks.persons_twice,
        "Give each person of a key frame an id of its own, or leave the column out.",
    ),
    Check(
        "person-without-action",
        "warning",
        row_checks.persons_without_action,
        "Write what the person does; as it stands it is an example of doing nothing.",
    ),
    Check("film-missing", "error", film_checks.missing, "Put the film there under this name, or delete its rows."),
    Check("film-unreadable", "error", film_checks.unreadable, "Copy or encode the film anew, or delete its rows."),
    Check("film-unannotated", "warning", film_checks.unannotated, "Annotate the film, or take it away."),
    Check(
        "film-without-truth",
        "warning",
        film_checks.without_truth,
        "Annotate the film, or delete these rows; they do nothing.",
    ),
    Check("before-film", "error", film_checks.before, "Write seconds of the film, or set time_origin in dataset.yaml."),
    Check(
        "after-film",
        "error",
        film_checks.after,
        "Write seconds from the film's start, or delete the row; is the film complete?",
    ),
    Check(
        "timestamps-of-ava",
        "error",
        film_checks.after_as_in_ava,
        "Write time_origin: 900 into dataset.yaml: the films look like AVA's, which begin at second 900.",
    ),
    Check(
        "timestamps-from-1",
        "error",
        film_checks.after_from_one,
        "Write time_origin: 1 into dataset.yaml if the film's first second is called 1, else delete the row.",
    ),
    Check(
        "timestamps-in-frames",
        "error",
        film_checks.after_in_frames,
        "Divide the timestamps by the film's frames a second: they look like numbers of frames.",
    ),
    Check("split-empty", "error", split_checks.empty_splits, "Look at start, end, every and excluded in dataset.yaml."),
    Check(
        "splits-overlap",
        "error",
        split_checks.shared_clips,
        "Keep each film in one split, or leave 2 s between them: clips that overlap make the figures too good.",
    ),
    Check(
        "film-in-two-splits",
        "warning",
        split_checks.shared_films,
        "Keep each film in one split: scenes that are known make the figures too good.",
    ),
    Check("label-unused", "warning", split_checks.unused_labels, "Annotate the action, or take it off the list."),
    Check(
        "action-with-one-example",
        "warning",
        split_checks.single_examples,
        "Annotate more of it: one is too few to learn from.",
    ),
    Check(
        "action-on-one-side",
        "warning",
        split_checks.one_sided_actions,
        "Move a film with the action to the other split, or annotate more: it cannot be learnt and measured so.",
    ),
    Check(
        "boxes-miss-persons",
        "warning",
        split_checks.missed_persons,
        "See that boxes and annotations mean the same films, times and persons; ava-tools evaluate-boxes tells more.",
    ),
)
DEEP = Check(
    "no-frame",
    "error",
    without_frame,
    "Copy or encode the film anew; a film whose end is missing has no frames there.",
)


def validate(path: str | Path, deep: bool = False) -> tuple[Finding, ...]:
    """What is wrong with a data set; nothing, if all is well.

    Films are looked into at their beginnings; damage within them is found by ``deep`` alone.

    Args:
        path: its folder, or its ``dataset.yaml``.
        deep: whether the annotated key frames are decoded too.

    Raises:
        InputError: there is no manifest, it is wrong, or a file that it names is not there.
    """
    contents = read_contents(path)
    findings = (
        Finding(check.name, check.severity, *place, check.mend)
        for check in (*CHECKS, *([DEEP] if deep else []))
        for place in check.find(contents)
    )
    return tuple(dict.fromkeys(findings))  # once for a file that several splits name
