"""``slowfast-det models``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ava_tools.atomic import replacing
from ava_tools.cli.outputs import save_under
from ava_tools.cli.run import MisuseError, console, patience, tell
from ava_tools.errors import InputError
from slowfast_det.checkpoints.zoo import (
    PublishedModel,
    Task,
    fetch_published,
    find_published,
    published_models,
    stored_path,
)
from slowfast_det.weights.download import part_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPED = 200  # columns where nobody folds lines
_NARROWEST = 100  # columns that hold every name; a narrower terminal folds lines itself
_ONE_LINE = 160  # columns that hold a model in one line


def models(
    *names: str,
    task: Task | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    download: Annotated[bool, Parameter(negative="")] = False,
    cost: Annotated[bool, Parameter(negative="")] = False,
    size: str | None = None,
    out: Path | None = None,
) -> int:
    """List published weights, or tell all that is known of those that are named; or count what networks cost.

    Args:
        names: Names from the list; without any the list is printed. With --cost also names of configs, yaml files,
            and settings over all of them: key=value.
        task: Only detectors of actions, or only classifiers of clips to start a training from.
        as_json: Print a json list.
        download: Fetch the named ones, and hold them to their hashes if they were here already.
        cost: Count parameters and multiply-adds: of the packaged configs, or of each stage of the networks that are
            named. Nothing is downloaded.
        size: HEIGHTxWIDTH of the clips whose cost is counted, or a number for both. Default: the square that a config
            tests on, and for classifiers of clips the one that they are trained on too.
        out: A json file for all that was counted; an existing one stays, and the next free name is used.
    """
    if cost:
        if task is not None or download:
            raise MisuseError("--task and --download are of published weights; they make no sense with --cost")
        _tell_costs(names, size, as_json, out)
        return 0
    if size is not None or out is not None:
        raise MisuseError("--size and --out make sense with --cost alone")
    if names and task is not None:
        raise MisuseError("--task chooses from the list; it makes no sense with names")
    if download and not names:
        raise MisuseError("--download fetches the models that are named; name some")
    chosen = [find_published(name) for name in names] or [
        model for model in published_models() if task in (None, model.task)
    ]
    failed = not all([_downloaded(model) for model in chosen]) if download else False
    if as_json:
        print(json.dumps([_record(model) for model in chosen], indent=2))
    elif names and not download:
        print("\n\n".join("\n".join(_details(model)) for model in chosen))
    elif not names:
        _print_tables(chosen)
    return int(failed)


def _tell_costs(names: Sequence[str], size: str | None, as_json: bool, out: Path | None) -> None:
    from slowfast_det.cli.network_cost import counted_networks, overview, read_size, remarks, stage_table

    wanted = None if size is None else read_size(size)
    if out is not None:
        _check_place(out)
    with patience("counting"):
        counted = counted_networks(names, wanted)
    text = json.dumps([each.as_dict() for each in counted], indent=2) + "\n"
    if as_json:
        sys.stdout.write(text)
    else:
        page = _page()
        titled = [(each.title, stage_table(each)) for each in counted]
        for title, table in titled if names else [(f"Cost of {len(counted)} networks", overview(counted))]:
            page.print(title, style="bold", soft_wrap=True)  # in one line where a script reads it
            page.print(table)
            page.print()
        for remark in remarks(counted):
            page.print(remark, soft_wrap=True)
    if out is not None:
        saved = save_under(out, False, (), lambda path: _write(path, text))
        print(saved, file=sys.stderr if as_json else sys.stdout)


def _check_place(file: Path) -> None:
    """Whether a file can be written, before anything is counted."""
    if not file.resolve().parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}; it is expected to be there")
    if file.exists() and not file.is_file():
        raise InputError(f"{file}: is no regular file; a name for a new one is expected")


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _downloaded(model: PublishedModel) -> bool:
    try:
        path = fetch_published(model)
    except InputError as problem:
        tell(problem)
        return False
    console.print(
        f"{model.name}: {path}, {'its hash agrees' if model.sha256 else 'no hash is published to hold it to'}"
    )
    return True


def _print_tables(chosen: Sequence[PublishedModel]) -> None:
    page = _page()
    for task, score in (("detection", "mAP"), ("classification", "top-1")):
        if group := [model for model in chosen if model.task == task]:
            title = f"{task.capitalize()}: {len(group)} published weights"
            page.print(_table([_cells(model, score) for model in group], title, page.width >= _ONE_LINE))
            page.print()
    page.print("clip: frames x step between them; 32x2 is 32 frames, every second one.", soft_wrap=True)
    page.print("hash: whether its publisher gives one, to which --download holds the file.", soft_wrap=True)
    page.print("slowfast-det models NAME tells more of one.", soft_wrap=True)


def _page() -> Console:
    from rich.console import Console

    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    page = Console(highlight=False, markup=False, emoji=False)
    page.width = _PIPED if free else max(page.width, _NARROWEST)
    return page


def _cells(model: PublishedModel, score: str) -> dict[str, str]:
    return {
        "name": model.name,
        "architecture": model.architecture if _loadable(model) else f"{model.architecture} (not loadable)",
        "clip": model.clip,
        "data": model.data,
        "pre-training": model.pretraining or "-",
        score: _number(_score(model)),
        "hash": "published" if model.sha256 else "none",
        "on disk": _on_disk(model),
    }


def _table(rows: Sequence[dict[str, str]], title: str, wide: bool) -> Table:
    from rich.table import Table

    if not wide:
        rows = [_stacked(_stacked(row, "name", "architecture"), "data", "pre-training") for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left", title_style="bold")
    for heading in rows[0]:
        table.add_column(heading, no_wrap=not heading.startswith(("name,", "architecture", "data")))
    for row in rows:
        table.add_row(*row.values())
    return table


def _stacked(row: dict[str, str], upper: str, lower: str) -> dict[str, str]:
    """The cells of two columns as one, the second below the first."""
    both = {f"{upper}, {lower}": f"{row[upper]}\n  {row[lower]}"}
    cells = [both.items() if heading == upper else [(heading, row[heading])] for heading in row if heading != lower]
    return {heading: value for pairs in cells for heading, value in pairs}


def _details(model: PublishedModel) -> Iterator[str]:
    path = stored_path(model)
    about = {
        "task": model.task,
        "architecture": model.architecture,
        "clip": f"{model.clip} (frames x step between them)",
        "data": model.data,
        "pre-training": model.pretraining or "none",
        "mAP" if model.task == "detection" else "top-1": _number(_score(model), "not published"),
        "publisher": model.publisher,
        "licence": model.licence,
        "url": model.url,
        "size": f"{model.size:,} bytes" if model.size is not None else "not published",
        "sha256": f"begins with {model.sha256}" if model.sha256 else "none published",
        "file": path,
        "on disk": _on_disk(model),
        "config": " ".join([model.config, *model.overrides]) if model.config else "none",
        "remark": model.remark,
        "use": _use(model),
        "start from": _start(model),
    }
    yield model.name
    yield from (f"  {key + ':':<14}{value}" for key, value in about.items() if value)


def _use(model: PublishedModel) -> str:
    if model.config is None:
        return "" if model.task == "classification" else "not loadable"
    return f"slowfast-det {'predict' if model.task == 'detection' else 'classify'} film.mp4 --model {model.name}"


def _start(model: PublishedModel) -> str:
    """How a detector's training begins with a classifier."""
    if model.task == "detection":
        return ""
    recipe = "slowfast_r50_8x8" if model.architecture.startswith("SlowFast") else "slow_r50_4x16"
    return f"slowfast-det train {recipe} data=FOLDER init={model.name}"


def _loadable(model: PublishedModel) -> bool:
    """A training begins with what it can use of a classifier, whose network need not be known."""
    return model.config is not None or model.task == "classification"


def _record(model: PublishedModel) -> dict[str, Any]:
    path = stored_path(model)
    here = {"path": str(path), "on_disk": path.is_file(), "bytes_on_disk": _bytes(path) or _bytes(part_of(path))}
    return asdict(model) | here


def _on_disk(model: PublishedModel) -> str:
    path = stored_path(model)
    if path.is_file():
        return f"{_bytes(path) / 1e6:,.1f} MB"
    return "partly" if _bytes(part_of(path)) else "no"


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _score(model: PublishedModel) -> float | None:
    return model.mean_ap if model.task == "detection" else model.top1


def _number(value: float | None, missing: str = "-") -> str:
    return missing if value is None else f"{value:g}"
