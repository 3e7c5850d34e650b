"""The published weights of the field, as data: what they are, where they are, whether they are here.

The table is ``published.csv`` beside this file, one row a file of weights, everything as its publisher says
it: PySlowFast's MODEL_ZOO.md and projects/contrastive_ssl, PyTorchVideo's docs/source/model_zoo.md, mmaction2's
configs/detection and configs/recognition (release 1.2.0; where README and metafile differ, the README, which is
newer). Only mmaction2 gives hashes (the file names end in them); nobody gives sizes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal, cast

from ava_tools.errors import InputError
from slowfast_det.weights.download import fetch, verify, weights_home

Publisher = Literal["PySlowFast", "PyTorchVideo", "mmaction2"]
Task = Literal["detection", "classification"]


@dataclass(frozen=True)
class PublishedModel:
    """One file of published weights.

    Attributes:
        name: unique and stable: publisher, architecture, clip as the publisher writes it, data.
        publisher: whose layout the file has.
        architecture: the network in words.
        pretraining: what it was trained on before; empty for nothing.
        clip: frames x step between them, of the fast pathway or the only one.
        data: what it was trained on, and what it was tested on if that is another set.
        mean_ap: published mAP of a detector, percent; None: not published.
        top1: published accuracy of a classifier, percent; None: not published.
        config: the packaged config of its network; None: none describes it, and the remark says why.
        overrides: ``key=value`` over that config.
        sha256: first digits of the file's SHA-256; None: not published, so that no file can be verified.
        size: its bytes; None: not published.
        licence: its publisher's; none is stated for the weights alone.
        remark: what is uncertain or particular.
    """

    name: str
    publisher: Publisher
    task: Task
    architecture: str
    pretraining: str
    clip: str
    data: str
    mean_ap: float | None
    top1: float | None
    url: str
    config: str | None
    overrides: tuple[str, ...]
    sha256: str | None
    size: int | None
    licence: str
    remark: str = ""


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """All published weights that are known, detectors first."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_model(row) for row in csv.DictReader(file))


def published(name: str) -> PublishedModel | None:
    """The published weights of that name, if there are any."""
    return next((model for model in published_models() if model.name == name), None)


def find_published(name: str) -> PublishedModel:
    """The published weights of that name.

    Raises:
        InputError: there are none; the sentence gives names that are close.
    """
    model = published(name)
    if model is None:
        raise InputError(f"{name}: no published weights have that name; {_hint(name)}")
    return model


def _hint(name: str) -> str:
    names = [model.name for model in published_models()]
    close = [known for known in names if name.lower() in known][:3]
    close = close or get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else "`slowfast-det models` lists all of them"


def located(weights: str | Path) -> tuple[Path, PublishedModel | None]:
    """The file of weights that are given by path or by published name; the latter is downloaded if need be.

    Raises:
        InputError: it is neither a path nor such a name, or the file cannot be fetched.
    """
    model = known(weights)
    return (Path(weights), None) if model is None else (fetch_published(model), model)


def known(weights: str | Path) -> PublishedModel | None:
    """The published weights that are meant; None for a path, of a file that may be there or not.

    Raises:
        InputError: it is neither a path nor such a name.
    """
    path = Path(weights)
    if path.exists() or path.suffix or len(path.parts) != 1:  # published names have neither dots nor slashes
        return None
    model = published(str(weights))
    if model is None:
        raise InputError(f"{weights}: neither a file nor the name of published weights; {_hint(str(weights))}")
    return model


def stored_path(model: PublishedModel) -> Path:
    """Where its file is, or will be once it is fetched: under its publisher's name for it."""
    folder = weights_home() / "weights" / model.publisher
    if "/pretrain/" in model.url:  # PySlowFast's beginnings bear the names of what became of them
        folder /= "pretrain"
    return folder / model.url.rpartition("/")[2]


def fetch_published(model: PublishedModel, progress: bool = True) -> Path:
    """Its file, downloaded unless it is here, and verified where its publisher makes that possible.

    Raises:
        InputError: it cannot be fetched, or is not what it should be.
    """
    path = stored_path(model)
    if path.is_file():  # perhaps put there by hand
        verify(path, model.sha256, model.size)
    return fetch(model.url, path, sha256=model.sha256, size=model.size, progress=progress)


def _model(row: dict[str, str]) -> PublishedModel:
    score = float(row["score"]) if row["score"] else None
    detects = row["task"] == "detection"
    return PublishedModel(
        name=row["name"],
        publisher=cast(Publisher, row["publisher"]),
        task=cast(Task, row["task"]),
        architecture=row["architecture"],
        pretraining=row["pretraining"],
        clip=row["clip"],
        data=row["data"],
        mean_ap=score if detects else None,
        top1=None if detects else score,
        url=row["url"],
        config=row["config"] or None,
        overrides=tuple(row["overrides"].split()),
        sha256=row["sha256"] or None,
        size=int(row["size"]) if row["size"] else None,
        licence=row["licence"],
        remark=row["remark"],
    )
