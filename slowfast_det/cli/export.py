"""``slowfast-det export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console, patience
from slowfast_det.checkpoints import zoo

if TYPE_CHECKING:
    from slowfast_det.export import Exported

Count = Annotated[int | None, Parameter(validator=Number(gte=1))]
Format = Literal["onnx", "torch"]
_SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}


def export(
    *,
    model: str,
    out: Path,
    config: str | None = None,
    format: Format | None = None,  # noqa: A002 (the option's name)
    batch: Count = None,
    height: Count = None,
    width: Count = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a model as one file that runs without this library, and check it against the model.

    The file takes a clip [B, 3, T, H, W] and boxes [K, 5] and gives logits [K, N]. It carries what one
    needs to use it, as json named slowfast_det.json: how frames are prepared, the actions, the inputs.

    Args:
        model: Checkpoint file of any layout, or a name that `slowfast-det models` lists.
        out: The file, .onnx or .pt2.
        config: Config by name or yaml file, where the checkpoint does not say what network it is.
        format: onnx, or torch for a program of torch.export. Default: by the suffix of --out.
        batch: Take only so many clips at once. Default: any number; that of boxes is always free.
        height: Take only clips so many pixels high. Default: any height.
        width: Take only clips so many pixels wide. Default: any width.
        overwrite: Replace an existing file; otherwise the next free name is used.
    """
    chosen, out = _named(out, format)
    zoo.known(model)

    from ava_tools.cli.outputs import save_under
    from slowfast_det.checkpoints.model import load_model
    from slowfast_det.export import INSTALL, export_onnx, export_torch

    loaded = load_model(model, config)
    write = export_onnx if chosen == "onnx" else export_torch
    inputs = [zoo.located(model)[0], *([Path(config)] if config is not None else [])]
    done: list[Exported] = []
    with patience("exporting, and comparing with the model"):
        path = save_under(
            out,
            overwrite,
            inputs,
            lambda file: done.append(write(loaded, file, batch=batch, height=height, width=width)),
        )
    exported = done[0]
    free = ", ".join(exported.free)
    if exported.difference is None:
        console.print(f"free sizes: {free}; warning: the file is not checked, onnxruntime is missing: {INSTALL}")
    else:
        console.print(f"free sizes: {free}; largest difference of a logit: {exported.difference:.1e}")
    print(path)


def _named(out: Path, format_: Format | None) -> tuple[Format, Path]:
    """The format, and the file with the format's suffix."""
    by_suffix = next((name for name, suffix in _SUFFIXES.items() if out.suffix.lower() == suffix), None)
    if format_ is None and by_suffix is None:
        raise MisuseError(f"--out is {str(out)!r}; a name that ends in .onnx or .pt2 is expected, or --format")
    if format_ is not None and by_suffix is not None and format_ != by_suffix:
        raise MisuseError(f"--format is {format_}, but --out is {str(out)!r}, a name of the format {by_suffix}")
    if not out.name:
        raise MisuseError(f"--out is {str(out)!r}, a folder; a file is expected")
    chosen: Format | None = format_ or by_suffix
    assert chosen is not None
    return chosen, out if by_suffix is not None else out.with_name(out.name + _SUFFIXES[chosen])
