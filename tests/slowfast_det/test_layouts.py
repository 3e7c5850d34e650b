"""Whose a weight file is, what it says of itself, and names there and back."""

from __future__ import annotations

import logging
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from golden import PEERS, golden_of

from ava_tools import InputError
from slowfast_det import load_model, load_network
from slowfast_det.checkpoints import caffe2, mmaction2, pyslowfast, pytorchvideo
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.model import load_config
from slowfast_det.checkpoints.reading import read_checkpoint
from slowfast_det.config import config_names

SLOW = "SLOW_8x8_R50_SHORT"


def small(peer, model):
    """A checkpoint's names with tensors of no size: enough to tell whose it is."""
    return {name: torch.zeros(0) for name in golden_of(peer, model).tensors}


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        pytest.param({"model_state": small("pyslowfast", SLOW)}, pyslowfast.TITLE, id="PySlowFast"),
        pytest.param(small("pyslowfast", SLOW), pyslowfast.TITLE, id="PySlowFast's tensors alone"),
        pytest.param(
            {"model_state": {f"module.{name}": value for name, value in small("pyslowfast", SLOW).items()}},
            pyslowfast.TITLE,
            id="of distributed training",
        ),
        pytest.param(
            {"model_state": {f"backbone.{name}": value for name, value in small("pyslowfast", SLOW).items()}},
            pyslowfast.TITLE,
            id="of self-supervised training",
        ),
        pytest.param(
            {"model_state": small("pytorchvideo", "slow_r50_detection")}, pytorchvideo.TITLE, id="PyTorchVideo"
        ),
        pytest.param(
            {"state_dict": small("mmaction2", "slowonly_r50_nl_4x16x1_ava21"), "meta": {"epoch": 20}},
            mmaction2.TITLE,
            id="mmaction2",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".pkl", ".safetensors", ""])
def test_a_layout_is_told_by_content(content, layout, suffix, tmp_path):
    torch.save(content, tmp_path / f"weights{suffix}")
    checkpoint = read_checkpoint(tmp_path / f"weights{suffix}")
    assert (checkpoint.layout, checkpoint.foreign, checkpoint.config) == (layout, (), None)
    config = "slow_r50_4x16" if layout != mmaction2.TITLE else "mmaction2_slowonly_r50_4x16_nl"
    with torch.device("meta"):
        assert checkpoint.tensors.keys() == build_network(load_config(config)).state_dict().keys()


@pytest.mark.parametrize("name", [path.stem for path in sorted((PEERS / "pyslowfast").iterdir())])
def test_pyslowfasts_names_there_and_back(name):
    golden = golden_of("pyslowfast", name)
    ours = [pyslowfast.our_name(theirs) for theirs in golden.tensors]
    assert [pyslowfast.their_name(our) for our in ours] == list(golden.tensors)
    for blob, theirs in golden.caffe2.items():
        assert caffe2.our_name(blob) == pyslowfast.our_name(theirs)


@pytest.mark.parametrize("name", ["head.relation.join.conv.weight", "backbone.slow.res6.0.a.conv.weight"])
def test_names_that_pyslowfast_lacks(name):
    with pytest.raises(ValueError, match=f"PySlowFast has no tensor like {name}"):
        pyslowfast.their_name(name)


def test_tensors_of_no_network_are_listed(tmp_path, caplog):
    """What self-supervised training leaves behind."""
    content = golden_of("pyslowfast", SLOW).checkpoint()
    content["model_state"] |= {"queue_x": torch.zeros(3), "backbone_hist.s1.pathway0_stem.conv.weight": torch.zeros(1)}
    torch.save(content, tmp_path / "moco.pyth")
    with caplog.at_level(logging.WARNING):
        load_network(tmp_path / "moco.pyth")
    assert "moco.pyth: is not read: queue_x, backbone_hist.s1.pathway0_stem.conv.weight" in caplog.text


def test_a_tensor_that_is_there_twice(tmp_path):
    state = small("pyslowfast", SLOW)
    torch.save(state | {"module.s1.pathway0_stem.conv.weight": torch.zeros(1)}, tmp_path / "w.pyth")
    with pytest.raises(InputError, match=r"as s1.pathway0_stem.conv.weight and as module.s1.pathway0_stem.conv.weight"):
        read_checkpoint(tmp_path / "w.pyth")


def test_what_cannot_say_what_it_is_names_the_configs_that_fit(tmp_path):
    """Temporal pooling leaves no trace in the weights: both answers are told, neither is guessed."""
    torch.save({"state_dict": golden_of("mmaction2", "slowfast_r50_8x8x1_ava21").state()}, tmp_path / "mm.pth")
    with pytest.raises(InputError) as told:
        load_network(tmp_path / "mm.pth")
    fitting = [name for name in config_names() if name in str(told.value).replace("(", " ").split()]
    assert fitting == ["mmaction2_slowfast_r50_8x8", "mmaction2_slowfast_r50_8x8_temporal_max"]
    assert f"{tmp_path / 'mm.pth'}: its weights (mmaction2's .pth) do not say what network they are" in str(told.value)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"blobs": {}}, id="no blobs"),
        pytest.param({"blobs": {"conv1_w": "text", "res_conv1_bn_s": 3}}, id="no arrays"),
        pytest.param({"blobs": 7}, id="no mapping"),
        pytest.param([1, 2], id="a list"),
        pytest.param({"state_dict": {"layer.weight": torch.zeros(2)}}, id="another network"),
    ],
)
def test_foreign_content_is_named(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    plain = {"blobs": content["blobs"]} if "blobs" in content else [1]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(plain))
    for name in ("a.pth", "a.pkl"):
        with pytest.raises(InputError, match=f"{name}: is a checkpoint of no layout that is known"):
            load_model(tmp_path / name)


class HistoryBuffer:
    """As mmengine's: a log with arrays and functions of its own."""

    def __init__(self):
        self._log_history = np.zeros(3)
        self._statistics_methods = {"mean": np.zeros(2).mean}


def test_a_checkpoint_of_a_running_mmaction2_training(tmp_path, monkeypatch):
    """Its logs are objects that are not looked at; nothing is imported or called for them."""
    module = types.ModuleType("mmengine.logging.history_buffer")
    module.HistoryBuffer = HistoryBuffer
    monkeypatch.setattr(HistoryBuffer, "__module__", module.__name__)
    with monkeypatch.context() as installed:
        for name in ("mmengine", "mmengine.logging", module.__name__):
            installed.setitem(sys.modules, name, module)
        state = golden_of("mmaction2", "slowonly_r50_4x16x1_ava21").state()
        hub = {"log_scalars": {"loss": HistoryBuffer()}, "runtime_info": {"epoch": np.int64(3)}}
        torch.save({"meta": {"seed": 1}, "state_dict": state, "message_hub": hub, "optimizer": {}}, tmp_path / "e.pth")
    assert b"getattr" in (tmp_path / "e.pth").read_bytes()
    assert load_network(tmp_path / "e.pth", "mmaction2_slowonly_r50_4x16").num_frames == 4
    assert module.__name__ not in sys.modules


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_nothing_in_a_hostile_pickle_runs(tmp_path, protocol):
    trap = {"blobs": {"conv1_w": Trap(tmp_path / "sprung")}}
    (tmp_path / "hostile.pkl").write_bytes(pickle.dumps(trap, protocol))
    with pytest.raises(InputError, match=r"hostile.pkl: not a pickle of plain data \(it asks for .*mkdir\).*was run"):
        load_model(tmp_path / "hostile.pkl")
    assert not (tmp_path / "sprung").exists()


def test_a_cut_off_pickle(tmp_path):
    data = pickle.dumps({"blobs": {"conv1_w": torch.zeros(100).numpy()}}, 2)
    (tmp_path / "cut.pkl").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut.pkl: not a pickle of plain data"):
        load_model(tmp_path / "cut.pkl")
