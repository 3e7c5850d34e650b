"""``ava-tools stats``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ava_tools.cli.run import MisuseError, console, patience, refuse_collisions

if TYPE_CHECKING:
    from rich.table import Table

    from ava_tools.metrics.average_precision import Floats, Ints
    from ava_tools.stats import DataSetStats, Part

_PAIRS = 15
_PICTURES = (".png", ".svg")
_PIPE_WIDTH = 250  # columns, where nobody sees the end of a line


def stats(
    data: Path,
    /,
    *,
    picture: Path | None = None,
    json: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """What a data set holds: films, persons, actions, boxes, key frames, split by split.

    Films that are missing or broken are named; the rest is counted.

    Args:
        data: The data set's folder with its dataset.yaml.
        picture: Draw it too: a .png or .svg file.
        json: Write all numbers to this file.
        overwrite: Replace existing files; else the next free name is taken.
    """
    refuse_collisions([], [path for path in (picture, json) if path is not None])
    if picture is not None and picture.suffix.lower() not in _PICTURES:
        raise MisuseError(f"--picture is {picture}; a name that ends in {' or '.join(_PICTURES)} is expected")

    from ava_tools.cli.outputs import save_under
    from ava_tools.manifest import read_data_set
    from ava_tools.stats import as_json, data_set_stats

    saved: list[Path] = []
    with patience("counting"):
        data_set = read_data_set(data)
        found = data_set_stats(data_set)
        if picture is not None:
            from ava_tools.stats_figures import save_stats_figure

            title = (data if data.is_dir() else data.parent).resolve().name
            draw = partial(save_stats_figure, found, title)
            saved.append(save_under(picture, overwrite, data_set.files, draw))
        if json is not None:
            saved.append(save_under(json, overwrite, data_set.files, partial(as_json, found)))
    for problem in found.problems:
        console.print(f"error: {problem}")
    _print([_overview(found), _actions(found), *_pairs(found)])
    for path in saved:
        print(path)
    return 1 if found.problems else 0


def _print(tables: Sequence[Table]) -> None:
    """Print tables with lines on a terminal, with spaces alone elsewhere."""
    from rich.console import Console

    seen = sys.stdout.isatty()
    output = Console(width=None if seen else _PIPE_WIDTH, highlight=False, emoji=False)
    with output.capture() as capture:
        for table in tables:
            output.print(table)
            output.print()
    text = capture.get() if seen else "\n".join(line.rstrip() for line in capture.get().splitlines())
    print(text.rstrip("\n"))


def _table(columns: Sequence[str], left: int) -> Table:
    """A table whose first ``left`` columns are text."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if place < left else "right", overflow="fold")
    return table


def _rows(table: Table, rows: Iterator[Sequence[str]]) -> Table:
    from rich.text import Text

    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _columns(found: DataSetStats) -> list[Part]:
    """The splits, and the whole where it is not the only one."""
    return [*found.splits, *([found.whole] if len(found.splits) > 1 else [])]


def _overview(found: DataSetStats) -> Table:
    from ava_tools.boxes import SIZES
    from ava_tools.stats import duration

    parts = _columns(found)
    rows: dict[str, list[str]] = {
        "films": [f"{len(part.frames_a_film):,}" for part in parts],
        "  in all": [duration(part.hours) for part in parts],
        "key frames": [f"{len(part.persons_a_frame):,}" for part in parts],
        "  with nobody": [f"{part.empty:,}" for part in parts],
        "  of a film": [_spread(part.frames_a_film) for part in parts],
        "  seconds apart": [_spread(part.spacing) for part in parts],
        "persons": [f"{len(part.area):,}" for part in parts],
        "  on a key frame": [_spread(part.persons_a_frame) for part in parts],
        "  without action": [f"{part.idle:,}" for part in parts],
        "examples of actions": [f"{part.examples:,}" for part in parts],
        "  actions with any": [
            f"{(part.per_action['examples'] > 0).sum():,} of {len(part.per_action):,}" for part in parts
        ],
        "  of a person": [_spread(part.actions_a_person) for part in parts],
    }
    for name, least, most in SIZES:
        limits = f"under {most:.0%} of the frame" if most < 1 else f"from {least:.0%}"
        rows[f"boxes {name} ({limits})"] = [_share(part.sizes[name], len(part.area)) for part in parts]
    rows["  width over height"] = [_spread(part.aspect) for part in parts]
    table = _table(["least / median / most where three are given", *(part.name for part in parts)], 1)
    return _rows(table, ([name, *cells] for name, cells in rows.items()))


def _actions(found: DataSetStats) -> Table:
    """Every action, the most frequent first."""
    parts, whole = _columns(found), found.whole
    splits = found.splits if len(parts) > 1 else ()
    table = _table(["id", "action", *(part.name for part in splits), "examples", "persons", "films"], 2)

    def rows() -> Iterator[Sequence[str]]:
        for action, row in whole.per_action.sort_values("examples", ascending=False, kind="stable").iterrows():
            own = [int(part.per_action["examples"].get(action, 0)) for part in splits]
            counts = [f"{count:,}" for count in (*own, row["examples"])]
            yield [str(action), row["name"], *counts, f"{row['share']:.1%}", f"{row['films']:,}"]

    return _rows(table, rows())


def _pairs(found: DataSetStats) -> Iterator[Table]:
    """The most frequent pairs, if there are any."""
    pairs, name = found.whole.together, found.whole.per_action["short"]
    if pairs.empty:
        return
    table = _table(["both", f"of {len(pairs):,} pairs", "persons", "of the rarer action's"], 2)
    yield _rows(
        table,
        (
            [name[row["first"]], name[row["second"]], f"{row['persons']:,}", f"{row['share']:.0%}"]
            for row in pairs.head(_PAIRS).to_dict("records")
        ),
    )


def _spread(values: Floats | Ints) -> str:
    from ava_tools.stats import Spread

    spread = Spread.of(values)
    if spread is None:
        return "-"
    return " / ".join(f"{round(value, 2):g}" for value in (spread.least, spread.median, spread.most))


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.0%})" if total else "0"
