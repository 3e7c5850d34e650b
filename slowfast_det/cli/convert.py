"""``slowfast-det convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ava_tools.cli.run import MisuseError, console
from slowfast_det.checkpoints import zoo

Layout = Literal["ours", "pyslowfast"]
_SUFFIXES: dict[Layout, str] = {"ours": ".safetensors", "pyslowfast": ".pyth"}


def convert(
    weights: str,
    *overrides: str,
    out: Path,
    config: str | None = None,
    to: Layout | None = None,
    labels: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a model in our layout, which needs no other file to predict, or in PySlowFast's.

    Args:
        weights: A checkpoint of PySlowFast, PyTorchVideo, mmaction2 or ours, or a name that
            `slowfast-det models` lists.
        overrides: Settings over the config's: key=value.
        out: The file to write: .safetensors for ours, .pyth for PySlowFast's.
        config: Config by name or yaml file, where the checkpoint does not say what network it is.
        to: Layout, where the name of OUT does not tell it.
        labels: Names of the actions: pbtxt, json, csv or txt, as many as the model has outputs.
        overwrite: Replace an existing file; otherwise the next free name is used.
    """
    layout = to or next((layout for layout, suffix in _SUFFIXES.items() if suffix == out.suffix.lower()), None)
    if layout is None:
        raise MisuseError(f"--out is {out}; a name that ends in .safetensors or .pyth is expected, or --to")
    if out.suffix.lower() in _SUFFIXES.values() and out.suffix.lower() != _SUFFIXES[layout]:
        raise MisuseError(f"--to is {layout}, but --out is {out}; a name that ends in {_SUFFIXES[layout]} is expected")

    if not out.stem or out.is_dir():
        raise MisuseError(f"--out is {str(out)!r}; a file is expected")
    zoo.known(weights)

    from dataclasses import replace

    from ava_tools.cli.outputs import save_under
    from ava_tools.errors import InputError
    from ava_tools.label_files import read_labels
    from slowfast_det.checkpoints.model import load_any_model
    from slowfast_det.checkpoints.pyslowfast_writing import lost_for_pyslowfast, save_for_pyslowfast

    model = load_any_model(weights, config, overrides=overrides)
    if labels is not None:
        named = read_labels(labels)
        if len(named) != len(model.labels):
            raise InputError(f"{labels}: names {len(named)} actions, but the model has {len(model.labels)} outputs")
        model = replace(model, labels=named)
    if layout == "pyslowfast" and (lost := lost_for_pyslowfast(model)):
        console.print(f"warning: PySlowFast has no place for {', '.join(lost)}; its scores of films may differ")

    def write(path: Path) -> None:
        model.save(path) if layout == "ours" else save_for_pyslowfast(path, model)

    sources = [zoo.located(weights)[0], *(Path(name) for name in (config, labels) if name is not None)]
    print(save_under(out if out.suffix else out.with_suffix(_SUFFIXES[layout]), overwrite, sources, write))
