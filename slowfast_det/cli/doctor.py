"""``slowfast-det doctor``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ava_tools.cli.run import MisuseError, patience

if TYPE_CHECKING:
    import torch

    from slowfast_det.benchmark.measuring import Measured

_PACKAGES = ("slowfast-det", "torch", "torchvision", "av", "numpy", "opencv-python-headless", "pandas", "safetensors")
_OPTIONAL = {
    "detectron2": "its own predictor as a person detector",
    "onnx": "export",
    "onnxruntime": "checking exports",
}
_SIZE, _ROUNDS = (128, 170), 3  # of the clip on which precisions are compared


def doctor(*, device: str = "auto") -> None:
    """Tell what this machine has, what the automatic choices come to on it, and how fast its precisions are.

    Args:
        device: auto, cpu, cuda, cuda:1, ...
    """
    from slowfast_det.device import resolve_device

    chosen = resolve_device(device)
    if chosen.type not in ("cpu", "cuda"):
        raise MisuseError(f"--device is {device!r}; a processor or a GPU is expected")
    with patience("measuring"):
        rows = [*_software(), *_hardware(chosen), *_precisions(chosen)]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


def _software() -> Iterator[tuple[str, str]]:
    import platform

    import av

    yield "system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield "packages", ", ".join(f"{name} {_version(name) or 'missing'}" for name in _PACKAGES)
    yield "films", f"FFmpeg's libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
    for name, use in _OPTIONAL.items():
        yield name, _version(name) or f"not installed; for {use}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _hardware(device: torch.device) -> Iterator[tuple[str, str]]:
    import torch

    from slowfast_det.benchmark.machine import machine_name
    from slowfast_det.checkpoints.zoo import published_models, stored_path
    from slowfast_det.weights.download import weights_home

    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    yield "device", f"{device}: {machine_name(device)}{threads}"
    here = [model.name for model in published_models() if stored_path(model).is_file()]
    yield "weights", f"{len(here)} published ones in {weights_home()}{': ' if here else ''}{', '.join(here)}"


def _precisions(device: torch.device) -> Iterator[tuple[str, str]]:
    """How fast each precision is here, and what ``auto`` is."""
    from slowfast_det.batches import usual_batch
    from slowfast_det.cli.side_by_side import usual_workers
    from slowfast_det.precision import resolve_precision

    auto = resolve_precision("auto", device)
    meant = "fp32, equal but for rounding to what is written" if auto == "fp32" else auto
    yield "--precision auto", meant
    for each in _measured(device):
        yield f"  {each.way}", f"{1000 * each.median:,.0f} ms a small clip, {each.times:.1f} times as fast as fp32"
    yield "--batch", f"{usual_batch(device.type)} at once, if nothing else is said"
    yield "--workers", f"{usual_workers(device.type)} side by side, if nothing else is said"


def _measured(device: torch.device) -> Sequence[Measured]:
    from fractions import Fraction
    from pathlib import Path

    from ava_tools.media.probe import FilmInfo
    from slowfast_det.benchmark.machine import half_precisions
    from slowfast_det.benchmark.measuring import measure
    from slowfast_det.benchmark.parts import Setting, network_part
    from slowfast_det.checkpoints.model import untrained_model
    from slowfast_det.persons.torchvision_networks import SMALL

    model = untrained_model("slowfast_r50_8x8").to(device)
    model.network.eval()
    film = FilmInfo(Path("none"), "none", _SIZE[1], _SIZE[0], Fraction(30), None, Fraction(1, 30))
    setting = Setting(model, SMALL, film, device, size=_SIZE, halves=half_precisions(device))
    return measure(network_part(setting), _ROUNDS, device)
