"""``slowfast-det bench``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.outputs import save_under
from ava_tools.cli.run import MisuseError, console
from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown

if TYPE_CHECKING:
    from rich.table import Table

    from ava_tools.media.probe import FilmInfo
    from slowfast_det.benchmark.cost import Cost
    from slowfast_det.benchmark.machine import Machine
    from slowfast_det.benchmark.measuring import Measured
    from slowfast_det.benchmark.parts import Setting
    from slowfast_det.benchmark.record import Record

PartName = Literal["network", "persons", "loading", "predict", "training", "cost"]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
_USUAL = "slowfast_r50_8x8"
_FILM_SECONDS, _ENLARGEMENT = 8, 6  # of the film that is made where none is given: 1056 x 768


def bench(
    *parts: PartName,
    model: str | None = None,
    config: str | None = None,
    persons: str = "fasterrcnn_resnet50_fpn_v2",
    film: Path | None = None,
    size: str | None = None,
    batch: Count = 1,
    boxes: Count = 3,
    rounds: Count = 7,
    compile: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002 (the option's name)
    device: str = "auto",
    out: Annotated[Path | None, Parameter(name="--json")] = None,
    against: Path | None = None,
    picture: Path | None = None,
) -> None:
    """Measure how fast this machine does everything, beside what it can do at all.

    Each part is done in several ways, in turn within each round, so that a busy machine disturbs them alike. The column
    times is the median of what the rounds say; the limit is the largest matrix product that this machine did.

    Args:
        parts: network, persons, loading, predict, training; or cost: how the time grows with the length of the film,
            the boxes of a key frame and the size of the clips. Default: all but cost.
        model: Checkpoint, or a name that `slowfast-det models` lists. Default: an untrained network.
        config: Config by name or yaml file, of the untrained network (default: slowfast_r50_8x8), or where a
            checkpoint does not say what network it is.
        persons: Kind of person detector; its weights are drawn, times hardly depend on them.
        film: A film. Default: 8 generated seconds, 1056x768.
        size: HEIGHTxWIDTH of the clips of network and training. Default: what the film gives; 256x340 is what the
            README's figures are of.
        batch: Clips or frames at once, of network, persons and training.
        boxes: Persons of a clip.
        rounds: How often everything is done.
        compile: Measure the network by torch.compile too, which takes a minute.
        device: auto, cpu, cuda, cuda:1, ...
        out: A file for all figures, to compare with; an existing one stays, and the next free name is used.
        against: Such a file, of another time or version; the table says how many times as fast everything became.
        picture: Draw the part cost: a .png or .svg file.
    """
    import tempfile

    from slowfast_det.benchmark.cost import save_cost_figure
    from slowfast_det.benchmark.machine import half_precisions, measured_machine
    from slowfast_det.benchmark.parts import PARTS, Setting
    from slowfast_det.benchmark.record import read_record, save_record
    from slowfast_det.checkpoints.model import load_model, untrained_model
    from slowfast_det.device import resolve_device
    from slowfast_det.persons.torchvision_networks import DETECTORS, SMALL
    from slowfast_det.quickstart.films import write_unseen_film

    if persons not in (*DETECTORS, SMALL):
        raise MisuseError(f"--persons is {persons!r}; {', '.join((*DETECTORS, SMALL))} are known")
    wanted = _size(size)
    chosen = resolve_device(device)
    _check_files(out, picture, parts)
    if against is not None and not against.is_file():
        raise InputError(f"{against}: no such file")
    before = None if against is None else read_record(against)
    loaded = (untrained_model(config or _USUAL) if model is None else load_model(model, config)).to(chosen)
    loaded.network.eval()
    with tempfile.TemporaryDirectory() as folder:
        source = film
        if source is None:
            source = Path(folder) / "generated.mp4"
            write_unseen_film(source, 0, _ENLARGEMENT, _FILM_SECONDS)
        info = _info(source)
        machine = measured_machine(chosen)
        console.print(_machine(machine))
        if before is not None and before.machine != machine.name:
            console.print(f"warning: {against} is of another machine: {shown(before.machine)}")
        halves = half_precisions(chosen)
        setting = Setting(loaded, persons, info, chosen, batch, boxes, wanted, halves, compile)
        measured: list[Measured] = []
        costs: list[tuple[Cost, list[Measured]]] = []
        for cost, found in _each(parts or tuple(PARTS), setting, rounds):
            measured += found
            costs += [] if cost is None else [(cost, found)]
            _print(_table(found, machine, before))
            if before is not None and not any((each.part, each.told, each.way) in before.seconds for each in found):
                console.print(f"warning: {against} has no figures of the same: {found[0].part}, {found[0].told}")
    if out is not None:
        print(save_under(out, False, (), lambda path: save_record(path, machine, measured)))
    if picture is not None:
        title = f"{shown(info.name)} on {machine.name}"
        print(save_under(picture, False, (), lambda path: save_cost_figure(costs, title, path)))


def _check_files(out: Path | None, picture: Path | None, parts: Sequence[PartName]) -> None:
    """Whether files can be written, before anything is measured."""
    if picture is not None and "cost" not in parts:
        raise MisuseError("--picture is of the part cost; `bench cost --picture FILE` is expected")
    if picture is not None and picture.suffix.lower() not in (".png", ".svg"):
        raise MisuseError(f"--picture is {str(picture)!r}; a .png or .svg file is expected")
    for file in (out, picture):
        if file is not None and not file.resolve().parent.is_dir():
            raise InputError(f"{file}: there is no folder {file.parent}; it is expected to be there")
        if file is not None and file.exists() and not file.is_file():
            raise InputError(f"{file}: is no regular file; a name for a new one is expected")


def _each(parts: Sequence[str], setting: Setting, rounds: int) -> Iterator[tuple[Cost | None, list[Measured]]]:
    """Measure one part after the other; the part cost is several."""
    from slowfast_det.benchmark.cost import COSTS
    from slowfast_det.benchmark.measuring import measure
    from slowfast_det.benchmark.parts import PARTS

    for name in parts:
        if name != "cost":
            yield None, measure(PARTS[name](setting), rounds, setting.device)
            continue
        for make in COSTS:
            cost = make(setting)
            found = measure(cost.part, rounds, setting.device)
            yield replace(cost, part=replace(cost.part, ways={})), found  # without the networks


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 32 <= int(side) <= 4096 for side in sides):
        raise MisuseError(f"--size is {text!r}; HEIGHTxWIDTH is expected, each from 32 to 4096, as in 256x340")
    return int(sides[0]), int(sides[1])


def _info(film: Path) -> FilmInfo:
    from ava_tools.media.reader import open_film

    with open_film(film) as source:
        return source.info


def _machine(machine: Machine) -> str:
    limits = ", ".join(f"{name} {value:,.0f} GFLOP/s" for name, value in machine.gflop_a_second.items())
    threads = f", {machine.threads} threads" if machine.device == "cpu" else ""
    return f"{machine.name}{threads}, torch {machine.torch}: {limits}, copies {machine.copy_gb_a_second:,.1f} GB/s"


def _table(found: Sequence[Measured], machine: Machine, before: Record | None) -> Table:
    from rich.table import Table

    first = found[0]
    table = Table(title=f"{first.part}: {first.told}", title_justify="left", box=None, pad_edge=False)
    headings = ["", "ms", "quartiles", f"{first.unit}/s", "times", "GFLOP/s", "of the limit", "peak MB"]
    for heading in [*headings, *(["than before"] if before is not None else [])]:
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    limits = dict(machine.gflop_a_second)
    limits["auto"] = limits.get("bf16", limits["fp32"]) if machine.device == "cuda" else limits["fp32"]
    for each in found:
        low, high = each.spread
        speed = each.gflop_a_second
        limit = limits.get(each.way.partition(",")[0], limits["fp32"])
        row = [
            each.way,
            f"{1000 * each.median:,.1f}",
            f"{1000 * low:,.1f} - {1000 * high:,.1f}",
            f"{each.rate:,.3g}",
            f"{each.times:.2f}",
            "" if speed is None else f"{speed:,.0f}",
            "" if speed is None else f"{speed / limit:.0%}",
            "" if each.peak_mb is None else f"{each.peak_mb:,.0f}",
        ]
        if before is not None:
            old = before.seconds.get((each.part, each.told, each.way))
            row.append("" if old is None else f"{old / each.median:.2f}")
        table.add_row(*row)
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False, width=160).print(table)
