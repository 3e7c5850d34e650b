"""``ava-tools prepare``."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console, tell
from ava_tools.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from ava_tools.media.prepare import Preparation

Count = Annotated[int | None, Parameter(validator=Number(gte=1))]


def prepare(
    *sources: Path,
    out: Path | None = None,
    start: float | None = None,
    end: float | None = None,
    key_frame_every: float = 2.0,
    short_side: int | None = None,
    crf: float = 24.0,
    workers: Count = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Cut and re-encode films so that training reads any moment of them quickly.

    A film that was prepared the same way before is left as it is, so an interrupted run can be repeated.

    Args:
        sources: A data set's folder with its dataset.yaml; or films, or folders of films.
        out: Folder for the prepared films, NAME.mp4, or for the prepared data set with its own dataset.yaml.
            Default: prepared/ beside each film, or in the data set's folder.
        start: First second of the film that is kept; it becomes second 0. AVA: 900. Default: 0, or what the
            time range in the dataset.yaml needs.
        end: Second of the film before which the kept part ends. AVA: 1801.
        key_frame_every: Seconds between key frames at most.
        short_side: Shrink the shorter side to so many pixels. Default: the film's own size.
        crf: x264's constant quality: lower is better and larger.
        workers: Films that are prepared at a time. Default: as many as there are cores.
        overwrite: Replace what is there, prepared or not.
    """
    if not sources:
        raise MisuseError("a SOURCE is missing: a film or a folder of films")

    from ava_tools.manifest import MANIFEST
    from ava_tools.media.prepare import Preparation

    try:
        how = Preparation(start or 0.0, end, key_frame_every, short_side, crf)
    except InputError as wrong:
        raise MisuseError(str(wrong)) from None
    if any((source / MANIFEST).is_file() or source.name == MANIFEST for source in sources):
        if len(sources) > 1:
            raise MisuseError("a data set is prepared alone; several sources are given")
        return _prepare_data_set(sources[0], out, start, end, how, workers, overwrite)
    films, failed = _films(sources)
    jobs, clashes = _targets(films, out)
    return 1 if prepare_films(jobs, how, workers, overwrite) or failed or clashes else 0


def _prepare_data_set(
    source: Path,
    out: Path | None,
    start: float | None,
    end: float | None,
    how: Preparation,
    workers: int | None,
    overwrite: bool,
) -> int:
    """Prepare the films that a data set's annotations name; returns the exit code."""
    from ava_tools.manifest import read_data_set
    from ava_tools.prepared_data import plan_prepared_data

    home = source if source.is_dir() else source.parent
    folder = out or home / "prepared"
    data_set = read_data_set(source)
    if folder.resolve() in (home.resolve(), data_set.films.parent.resolve()):
        raise MisuseError(f"{folder}: holds the data set itself; the prepared one needs another folder: --out")
    plan = plan_prepared_data(data_set, folder, start, end)
    for problem in plan.problems:
        console.print(f"warning: {problem}")
    plan.check_copies(overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    failed = prepare_films(plan.jobs, replace(how, start=plan.start, end=plan.end), workers, overwrite)
    if failed:
        console.print(f"error: {folder}: {failed} films failed, so its dataset.yaml is not written")
        return 1
    print(plan.write_manifest())
    return 0


def prepare_films(
    jobs: Sequence[tuple[Path, Path]], how: Preparation, workers: int | None = None, overwrite: bool = False
) -> int:
    """Prepare films side by side, with a bar for each on a terminal; a failure does not stop the others.

    Args:
        jobs: films and the files that they become.
        how: what is done to each.
        workers: films at a time; None for as many as there are cores.
        overwrite: whether to replace what is there.

    Returns:
        How many films failed; each was told of.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    cores = os.cpu_count() or 1
    workers = max(1, min(workers or cores, len(jobs)))
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        work = _Work(how, overwrite, max(1, cores // workers), bar)
        return work.all(jobs, workers)


class _Work:
    """Films on their way through a pool of threads; FFmpeg leaves Python free while it works."""

    def __init__(self, how: Preparation, overwrite: bool, threads: int, bar: Progress) -> None:
        self._how = how
        self._overwrite = overwrite
        self._threads = threads
        self._bar = bar
        self._stopped = threading.Event()

    def all(self, jobs: Sequence[tuple[Path, Path]], workers: int) -> int:
        """Returns how many failed."""
        failed = 0
        with ThreadPoolExecutor(workers) as pool:
            try:
                running = {pool.submit(self._one, *job) for job in jobs}
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    failed += sum(not self._told(future) for future in done)
            except BaseException:
                self._stopped.set()  # each worker ends at its next frame and takes its half file away
                pool.shutdown(cancel_futures=True)
                raise
        return failed

    def _told(self, future: Future[str]) -> bool:
        """Print how a film ended; False if it failed."""
        try:
            print(future.result(), flush=True)
        except Exception as problem:
            tell(problem)
            return False
        return True

    def _one(self, source: Path, target: Path) -> str:
        """Prepare one film; returns the sentence that tells of it."""
        from ava_tools.media.prepare import is_prepared, prepare_film
        from ava_tools.media.probe import film_duration

        how = self._how
        with suppress(FileNotFoundError):
            if target.samefile(source):
                raise InputError(f"{target}: is the film itself; prepared films need another folder: --out")
        if not self._overwrite and is_prepared(target, source, how):
            return f"{target}: is prepared already"
        target.parent.mkdir(parents=True, exist_ok=True)
        duration = film_duration(source)
        ends = [second for second in (duration, how.end) if second is not None]
        total = max(0.0, min(ends) - how.start) if ends else None
        task = self._bar.add_task(source.name, total=total)
        try:
            prepare_film(source, target, how, self._advancing(task), self._threads)
        finally:
            self._bar.remove_task(task)
        return str(target)

    def _advancing(self, task: object) -> Callable[[float], None]:
        def advance(seconds: float) -> None:
            if self._stopped.is_set():
                raise InterruptedError
            self._bar.update(task, completed=seconds)  # type: ignore[arg-type]

        return advance


def _films(sources: Sequence[Path]) -> tuple[list[Path], int]:
    """Films that the sources stand for, and how many stand for none, each of which was told of."""
    from ava_tools.media.probe import FILM_SUFFIXES

    films: dict[Path, None] = {}
    failed = 0
    for source in sources:
        found = [source]
        if source.is_dir():
            found = sorted(path for path in source.iterdir() if path.suffix.lower() in FILM_SUFFIXES and path.is_file())
        problem = f"{source}: no such file or folder" if not source.exists() else None
        if not found:
            problem = f"{source}: the folder holds no films"
        if problem is not None:
            console.print(f"error: {problem}")
            failed += 1
        else:
            films |= dict.fromkeys(found)
    return list(films), failed


def _targets(films: Sequence[Path], out: Path | None) -> tuple[list[tuple[Path, Path]], int]:
    """Films with the files that they become, and how many are left out because of their names."""
    jobs: dict[Path, Path] = {}
    clashes = 0
    for film in films:
        target = (film.parent / "prepared" if out is None else out) / f"{film.stem}.mp4"
        if target in jobs:
            console.print(
                f"error: {film}: would become {target}, as {jobs[target]} does; they need folders of their own"
            )
            clashes += 1
        else:
            jobs[target] = film
    return [(film, target) for target, film in jobs.items()], clashes
