"""Exported files against the network they were made of, and what stands in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ava_tools import InputError
from ava_tools.settings import overridden
from slowfast_det import export as exporting
from slowfast_det.checkpoints.model import load_config, untrained_model
from slowfast_det.config import parse_config
from slowfast_det.export import METADATA, export_onnx, export_torch
from slowfast_det.export_check import InexactExportError
from slowfast_det.models.network import initialise

NETWORKS = {
    "slowfast": [],
    "slow": ["network.architecture=slow", "network.width=8"],
    "slow, not aligned": ["network.architecture=slow", "network.width=8", "network.aligned=false"],
    "mmaction2": [
        "network.fusion_norm=false",
        "network.slow_frames=stride",
        "network.temporal_pooling=max",
        "network.context=frame",
        "network.mlp_head=true",
        "network.unused_column=true",
        "network.non_local=[{stage: res3, blocks: [0], project_first: true}]",
    ],
    "i3d, non-local": [
        "network.architecture=i3d",
        "network.width=8",
        "network.temporal_pool=2",
        "network.non_local=[{stage: res2, blocks: [0], affinity: dot_product}, {stage: res3, blocks: [0], groups: 2}]",
    ],
    "heavy i3d, non-local": [
        "network.architecture=i3d_heavy",
        "network.width=8",
        "network.stem_strides=[2, 2]",
        "network.stem_pool_padding=false",
        "network.non_local=[{stage: res2, blocks: [0], affinity: gaussian}, "
        "{stage: res3, blocks: [0], affinity: embedded_gaussian, project_first: true}]",
    ],
    "acrn": ["network.width=8", "network.context=acrn"],
}
WHOLE_AND_ODD = [  # all of a clip, over its edges, less than a cell, nothing, turned round, outside
    *([0, 0, 0, 96, 64], [1, -9, -9, 105, 73], [0, 30, 30, 31, 31], [1, 20, 20, 20, 20]),
    *([0, 50, 50, 40, 40], [1, 96, 64, 110, 80], [1, 7.3, 2.9, 61.8, 60.1]),
]


def model_of(name):
    """An untrained model whose scores spread and depend on the pictures."""
    torch.manual_seed(0)
    model = untrained_model(parse_config(overridden(load_config("tiny").model_dump(), NETWORKS[name]), name))
    initialise(model.network, head_std=0.3, zero_final_norm=False)
    return model


class File:
    """An exported file, opened by nothing of ours."""

    def __init__(self, path):
        self.path = path
        if path.suffix == ".onnx":
            self.session = pytest.importorskip("onnxruntime").InferenceSession(path)
            self.metadata = json.loads(self.session.get_modelmeta().custom_metadata_map[METADATA])
        else:
            extra = {METADATA: ""}
            self.module = torch.export.load(path, extra_files=extra).module()
            self.metadata = json.loads(extra[METADATA])

    def __call__(self, clip, boxes):
        if self.path.suffix == ".onnx":
            return torch.from_numpy(self.session.run(["logits"], {"clip": clip.numpy(), "boxes": boxes.numpy()})[0])
        return self.module(clip, boxes)


def write(model, path, **sizes):
    if path.suffix == ".pt2":
        return export_torch(model, path, **sizes)
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library)
    return export_onnx(model, path, **sizes)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export a network once: the model, what exporting it told, its file."""
    done = {}

    def export(name, suffix):
        if (name, suffix) not in done:
            model = model_of(name)
            told = write(model, tmp_path_factory.mktemp("exported") / f"model{suffix}")
            done[name, suffix] = model, told, File(told.path)
        return done[name, suffix]

    return export


every_file = pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *[pytest.param(name, ".onnx", id=f"onnx, {name}") for name in NETWORKS],
        *[pytest.param(name, ".pt2", id=f"pt2, {name}") for name in ("slowfast", "mmaction2")],
    ],
)


@every_file
@pytest.mark.parametrize(
    ("shape", "boxes"),
    [
        pytest.param((1, 96, 128), 0, id="no box"),
        pytest.param((1, 96, 128), 1, id="one box"),
        pytest.param((1, 96, 128), 7, id="seven boxes"),
        pytest.param((2, 96, 128), 7, id="boxes of two clips"),
        pytest.param((2, 96, 128), 0, id="no box in two clips"),
        pytest.param((3, 83, 47), 5, id="another size"),
        pytest.param((1, 32, 33), 2, id="the smallest"),
        pytest.param((2, 64, 96), WHOLE_AND_ODD, id="odd boxes"),
    ],
)
def test_a_file_gives_the_networks_logits(exported, name, suffix, shape, boxes):
    model, _, file = exported(name, suffix)
    clips, height, width = shape
    random = np.random.default_rng(1)
    clip = torch.from_numpy(random.standard_normal((clips, 3, 8, height, width)).astype(np.float32))
    if isinstance(boxes, int):
        corners = np.sort(random.uniform(0, (width, height), (boxes, 2, 2)), axis=1).reshape(boxes, 4)
        boxes = np.insert(corners, 0, np.arange(boxes) % clips, axis=1)
    boxes = torch.tensor(np.asarray(boxes), dtype=torch.float32)
    with torch.inference_mode():
        expected, found = model.network(clip, boxes), file(clip, boxes)
    assert found.shape == expected.shape == (len(boxes), 80)
    assert torch.allclose(found, expected, rtol=0, atol=1e-4)
    if len(boxes) > 1:
        assert (expected[0] - expected[-1]).abs().max() > 0.01, "logits that do not depend on the box prove nothing"


@every_file
def test_a_file_carries_what_one_needs(exported, name, suffix):
    model, told, file = exported(name, suffix)
    assert told.free == ("B", "H", "W", "K")
    assert told.difference < 1e-4
    found = file.metadata
    assert found["clip"] == model.clip.model_dump(mode="json")
    assert [(label["id"], label["name"]) for label in found["labels"]] == list(
        zip(model.labels.ids, model.labels.names, strict=True)
    )
    assert {name: value["shape"] for name, value in (found["inputs"] | found["outputs"]).items()} == {
        "clip": ["B", 3, 8, "H", "W"],
        "boxes": ["K", 5],
        "logits": ["K", 80],
    }
    assert "sigmoid" in found["outputs"]["logits"]["meaning"]
    assert found["library"]["version"]
    if file.path.suffix == ".onnx":
        ends = (*file.session.get_inputs(), *file.session.get_outputs())
        assert {end.name: end.shape for end in ends} == {
            name: value["shape"] for name, value in (found["inputs"] | found["outputs"]).items()
        }
    assert list(file.path.parent.iterdir()) == [file.path], "one file, nothing beside it"
    assert str(Path(exporting.__file__).parent).encode() not in file.path.read_bytes(), "no paths of this machine"


RUN = {
    ".onnx": "import onnxruntime, numpy as np; s = onnxruntime.InferenceSession({path!r}); f = lambda c, b: "
    "s.run(None, dict(clip=c, boxes=b))[0]; foreign = 'torch', 'slowfast_det'",
    ".pt2": "import torch, torchvision, numpy as np; p = torch.export.load({path!r}).module(); f = lambda c, b: "
    "p(torch.from_numpy(c), torch.from_numpy(b)).detach(); foreign = 'slowfast_det', 'ava_tools'",
}


@pytest.mark.parametrize("suffix", RUN)
def test_a_file_needs_nothing_of_ours(exported, tmp_path, suffix):
    _, _, file = exported("slow, not aligned", suffix)
    code = RUN[suffix].format(path=str(file.path)) + (
        "; x = f(np.zeros((1, 3, 8, 64, 64), np.float32), np.float32([[0, 5, 5, 40, 60]]))"
        "; import sys; assert x.shape == (1, 80) and not {*foreign} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_model_is_left_as_it_is(tmp_path):
    model = model_of("slow")
    model.network.train()
    write(model, tmp_path / "model.pt2", batch=1, height=32, width=32)
    assert model.network.training
    assert all(weight.requires_grad for weight in model.network.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(lambda logits: logits + 2e-4, r"by 2\.\de-04 in a logit", id="other numbers"),
        pytest.param(lambda logits: logits * torch.nan, "by nan", id="no numbers"),
        pytest.param(lambda logits: logits[:, 1:], r"\[0, 79\] for 0 boxes", id="another shape"),
    ],
)
def test_a_wrong_file_does_not_stay(tmp_path, monkeypatch, wrong, message):
    model = model_of("slow")
    monkeypatch.setattr(exporting, "_traced", lambda network, sizes: torch.export.export(Sum(), (torch.zeros(3),)))
    monkeypatch.setattr(exporting, "torch_runner", lambda path: lambda clip, boxes: wrong(model.network(clip, boxes)))
    (tmp_path / "model.pt2").write_text("earlier")
    with pytest.raises(InexactExportError, match=message):
        export_torch(model, tmp_path / "model.pt2")
    assert (tmp_path / "model.pt2").read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_damaged_weights_are_not_exported(tmp_path):
    model = model_of("slow")
    model.network.head.projection.bias.data[3] = torch.inf
    with pytest.raises(InputError, match="untrained model: its logits are no finite numbers"):
        export_torch(model, tmp_path / "model.pt2", batch=1, height=32, width=32)
    assert list(tmp_path.iterdir()) == []


class Sum(torch.nn.Module):
    """Something that is exported at once."""

    def forward(self, x):
        return x.sum()


# slowfast-det export


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A checkpoint."""
    path = tmp_path_factory.mktemp("model") / "slow.safetensors"
    model_of("slow").save(path)
    return path


@pytest.fixture
def known(monkeypatch):
    """Exporters that write at once what they are told."""
    calls = []

    def of(name):
        def write(model, path, **sizes):
            calls.append((name, Path(path).suffix, {key: value for key, value in sizes.items() if value is not None}))
            Path(path).write_text("new")
            return exporting.Exported(Path(path), ("K",), 2e-6)

        return write

    monkeypatch.setattr(exporting, "export_onnx", of("onnx"))
    monkeypatch.setattr(exporting, "export_torch", of("torch"))
    return calls


@pytest.mark.parametrize(
    ("options", "call"),
    [
        pytest.param(["--out", "a.onnx"], ("onnx", "a.onnx", {}), id="onnx"),
        pytest.param(["--out", "new/a.pt2"], ("torch", "a.pt2", {}), id="torch, a new folder"),
        pytest.param(["--out", "a.v2", "--format", "onnx"], ("onnx", "a.v2.onnx", {}), id="suffix by the format"),
        pytest.param(["--out", "old.onnx"], ("onnx", "old-2.onnx", {}), id="the next free name"),
        pytest.param(["--out", "old.onnx", "--overwrite"], ("onnx", "old.onnx", {}), id="overwriting"),
        pytest.param(["--out", "model.pt2", "--overwrite"], ("torch", "model-2.pt2", {}), id="never what it reads"),
        pytest.param(
            ["--out", "a.onnx", "--batch", 1, "--height", 64, "--width", 96],
            ("onnx", "a.onnx", {"batch": 1, "height": 64, "width": 96}),
            id="fixed sizes",
        ),
    ],
)
def test_command(command, tiny, known, options, call):
    Path("old.onnx").write_text("old")
    Path("model.pt2").write_bytes(tiny.read_bytes())  # files are recognised by content
    done = command("export", "--model", "model.pt2", *options)
    assert (done.code, known, done.paths) == (0, [(call[0], Path(call[1]).suffix, call[2])], [call[1]])
    assert done.err == "free sizes: K; largest difference of a logit: 2.0e-06\n"
    assert Path("old.onnx").read_text() == ("new" if call[1] == "old.onnx" else "old")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--out", "a.bin"], "a name that ends in .onnx or .pt2", id="unknown suffix"),
        pytest.param(
            ["--out", "a.pt2", "--format", "onnx"], "--format is onnx, but --out is 'a.pt2'", id="two formats"
        ),
        pytest.param(["--out", ".", "--format", "onnx"], "a folder; a file is expected", id="a folder"),
        pytest.param(["--out", "a.onnx", "--height", 0], "--height", id="no height"),
        pytest.param([], "--out", id="no file"),
    ],
)
def test_misuse(command, tiny, known, options, message):
    done = command("export", "--model", tiny, *options)
    assert done.code == 2
    assert message in done.err
    assert known == []


def test_the_command_writes_what_runs(command, slow):
    done = command("export", "--model", slow, "--out", "model.pt2", "--batch", 1, "--height", 48)
    assert (done.code, done.out) == (0, "model.pt2\n")
    assert done.err == "free sizes: W, K; largest difference of a logit: 0.0e+00\n"
    file = File(Path("model.pt2"))
    assert file.metadata["inputs"]["clip"]["shape"] == [1, 3, 8, 48, "W"]
    clip, boxes = torch.ones(2, 3, 8, 48, 80), torch.tensor([[0, 5, 5, 40, 60.0]])
    with torch.inference_mode():
        assert torch.equal(file(clip[:1], boxes), model_of("slow").network(clip[:1], boxes))
        with pytest.raises((AssertionError, RuntimeError), match=r"shape\[0\] to be equal to 1|size\(\)\[0\] == 1"):
            file(clip, boxes)


@pytest.mark.parametrize(
    ("options", "absent", "message"),
    [
        pytest.param(["--height", 15], None, "height is 15; 16 or more is expected", id="too small"),
        pytest.param([], "onnxscript", "ONNX files need onnxscript: pip install slowfast-det[export]", id="onnxscript"),
        pytest.param([], "onnx", "need onnx", id="onnx"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(command, tiny, monkeypatch, options, absent, message):
    present = {"onnx": object(), "onnxscript": object()}
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == absent else present[name])
    done = command("export", "--model", tiny, "--out", "model.onnx", *options)
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_without_onnxruntime_a_file_is_written_but_not_checked(command, slow, monkeypatch):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    installed = exporting.find_spec
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxruntime" else installed(name))
    done = command("export", "--model", slow, "--out", "out/model.onnx")
    assert (done.code, done.out) == (0, "out/model.onnx\n")
    assert done.err.endswith("the file is not checked, onnxruntime is missing: pip install slowfast-det[export]\n")
    assert done.err.count("\n") == 1
    assert [path.name for path in Path("out").iterdir()] == ["model.onnx"]
