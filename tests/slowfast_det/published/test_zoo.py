"""The table of published weights, against a second transcription of what the publishers say."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
import torch

from ava_tools.errors import InputError
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.reading import config_of_published
from slowfast_det.checkpoints.zoo import (
    fetch_published,
    find_published,
    published,
    published_models,
    stored_path,
)
from slowfast_det.config import config_names

MODELS = published_models()
# mAP of every published detector by the end of its file's name: the hash, or what PySlowFast and PyTorchVideo call it.
DETECTORS = {
    "ava/C2D_8x8_R50.pkl": 19.5,
    "ava/SLOWFAST_32x2_R101_50_50_v2.1.pkl": 28.2,
    "ava/SLOWFAST_32x2_R101_50_50.pkl": 29.1,
    "ava/SLOWFAST_64x2_R101_50_50.pkl": 29.4,
    "ava/SLOW_4x16_R50_DETECTION.pyth": 19.5,
    "ava/SLOWFAST_8x8_R50_DETECTION.pyth": 24.67,
    **{f"_ava21-rgb_20220906-{digits}.pth": score for digits, score in {
        "953ef5fe": 20.72, "b3b6d44e": 22.77, "5ae3f91b": 21.55, "9760eadb": 23.77, "43f16877": 24.83,
        "5180ea3c": 24.32, "5bb4f6f2": 25.34, "39133ec7": 25.80, "0dae1a90": 27.65, "4c5b9f25": 24.11,
        "4963135b": 22.15,
    }.items()},
    **{f"_ava-kinetics-rgb_20221205-{digits}.pth": score for digits, score in {
        "33e3ca7c": 24.53, "a07e8c15": 25.87, "8f8dff3b": 26.10, "16a01c37": 27.82, "5d514f8c": 28.31,
        "5b5e71eb": 28.48, "87624265": 29.83, "37aa8395": 30.33, "dd652f81": 31.29,
    }.items()},
    **{f"_ava22-rgb_20220906-{digits}.pth": score for digits, score in {
        "d934a48f": 25.90, "13a9078e": 26.41, "dd59e26f": 26.65, "66ec24a2": 27.71,
    }.items()},
    "_multisports-rgb_20230320-a1ca5e76.pth": 26.40,
    "_multisports-rgb_20230320-af666368.pth": 36.88,
    "slowonly_omnisource_pretrained_r101_8x8x1_20e_ava_rgb_20201217-16378594.pth": 25.9,
}  # fmt: skip
CLASSIFIERS = {
    "kinetics400/C2D_NOPOOL_8x8_R50.pkl": 67.2,
    "kinetics400/I3D_8x8_R50.pkl": 73.5,
    "kinetics400/I3D_NLN_8x8_R50.pkl": 74.0,
    "kinetics400/SLOWONLY_4x16_R50.pkl": 72.7,
    "kinetics400/SLOWONLY_8x8_R50.pkl": 74.8,
    "kinetics400/SLOWFAST_4x16_R50.pkl": 75.6,
    "kinetics400/SLOWFAST_8x8_R50.pkl": 77.0,
    "multigrid/model_zoo/Kinetics/SLOWFAST_8x8_R50_stepwise.pkl": 76.8,
    "multigrid/model_zoo/Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid.pkl": 76.6,
    "ava/pretrain/C2D_8x8_R50.pkl": None,
    "ava/pretrain/SLOWFAST_32x2_R101_50_50_v2.1.pkl": None,
    "ava/pretrain/SLOWFAST_32x2_R101_50_50.pkl": None,
    "ava/pretrain/SLOWFAST_64x2_R101_50_50.pkl": None,
    "videomoco_models/MoCo_SlowR50_8x8_T2_epoch_00200.pyth": None,
    "videomoco_models/BYOL_SlowR50_8x8_T2_epoch_00200.pyth": None,
    "videomoco_models/SimCLR_SlowR50_8x8_T2_epoch_00200.pyth": None,
    "videomoco_models/SwAV_SlowR50_8x8_T2_epoch_00200.pyth": None,
    "videomoco_models/MoCo_SlowR50_8x8_T4_epoch_00200.pyth": None,
    "videomoco_models/BYOL_SlowR50_8x8_T4_epoch_00200.pyth": None,
    "videomoco_models/BYOL_SlowR50_16x4_T4_epoch_00200.pyth": None,
    "kinetics/C2D_8x8_R50.pyth": 71.46,
    "kinetics/I3D_8x8_R50.pyth": 73.27,
    "kinetics/SLOW_4x16_R50.pyth": 72.40,
    "kinetics/SLOW_8x8_R50.pyth": 74.58,
    "kinetics/SLOWFAST_4x16_R50.pyth": 75.34,
    "kinetics/SLOWFAST_8x8_R50.pyth": 76.94,
    "kinetics/SLOWFAST_8x8_R101.pyth": 77.90,
    "kinetics/SLOWFAST_16x8_R101_50_50.pyth": 78.70,
    "slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb_20220901-701b0f6f.pth": 75.55,
    "slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb_20220818-1cb6dfc8.pth": 76.80,
    "slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb_20220818-b62a501f.pth": 76.65,
    "slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb_20220818-9c0e09bd.pth": 78.65,
    "slowfast_r101-r50_32xb8-4x16x1-256e_kinetics400-rgb_20220901-a77ac3ee.pth": 77.03,
    "slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb_20220901-f6a40d08.pth": 72.97,
    "slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb_20220901-2132fc87.pth": 75.15,
    "slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb_20220901-e6281431.pth": 76.59,
    "slowonly_imagenet-pretrained-r50_8xb16-4x16x1-steplr-150e_kinetics400-rgb_20220901-e7b65fad.pth": 75.12,
    "slowonly_imagenet-pretrained-r50_8xb16-8x8x1-steplr-150e_kinetics400-rgb_20220901-df42dc84.pth": 76.45,
    "embedded-gaussian_8xb16-4x16x1-steplr-150e_kinetics400-rgb_20220901-cf739c75.pth": 75.07,
    "embedded-gaussian_8xb16-8x8x1-steplr-150e_kinetics400-rgb_20220901-df42dc84.pth": 76.65,
    "16xb16-4x16x1-steplr-150e_kinetics700-rgb_20221013-98b1b0a7.pth": 65.52,
    "16xb16-8x8x1-steplr-150e_kinetics700-rgb_20221013-15b93b10.pth": 67.67,
    "32xb8-8x8x1-steplr-150e_kinetics710-rgb_20230612-12ce977c.pth": 72.39,
    "omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb_20230208-61c4be0d.pth": 77.30,
    "c2d_r50-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb_20221027-e0227b22.pth": 73.44,
    "c2d_r101-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb_20221027-557bd8bc.pth": 74.97,
    "c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb_20221027-3ca304fa.pth": 73.89,
    "c2d_r50-in1k-pre_8xb32-16x4x1-100e_kinetics400-rgb_20221027-5f382a43.pth": 74.97,
    "r50-nl-dot-product_8xb8-32x2x1-100e_kinetics400-rgb_20220812-8e1f2148.pth": 74.80,
    "r50-nl-embedded-gaussian_8xb8-32x2x1-100e_kinetics400-rgb_20220812-afd8f562.pth": 74.73,
    "r50-nl-gaussian_8xb8-32x2x1-100e_kinetics400-rgb_20220812-0c5cbf5a.pth": 73.97,
    "i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb_20220812-e213c223.pth": 73.47,
    "i3d_imagenet-pretrained-r50_8xb8-dense-32x2x1-100e_kinetics400-rgb_20220812-9f46003f.pth": 73.77,
    "i3d_imagenet-pretrained-r50-heavy_8xb8-32x2x1-100e_kinetics400-rgb_20220812-ed501b31.pth": 76.21,
}


@pytest.mark.parametrize(
    ("task", "expected"),
    [pytest.param("detection", DETECTORS, id="detectors"), pytest.param("classification", CLASSIFIERS, id="rest")],
)
def test_every_published_row_is_there_once(task, expected):
    models = [model for model in MODELS if model.task == task]
    assert len(models) == len(expected)
    for ending, score in expected.items():
        (model,) = (model for model in models if model.url.endswith(ending))
        assert (model.mean_ap if task == "detection" else model.top1) == score, ending


def test_how_many_there_are():
    counts = Counter((model.publisher, model.task) for model in MODELS)
    assert counts == {
        ("PySlowFast", "detection"): 4,
        ("PyTorchVideo", "detection"): 2,
        ("mmaction2", "detection"): 27,
        ("PySlowFast", "classification"): 20,
        ("PyTorchVideo", "classification"): 8,
        ("mmaction2", "classification"): 26,
    }


def test_some_whole_addresses():
    fair, openmmlab = "https://dl.fbaipublicfiles.com", "https://download.openmmlab.com/mmaction"
    k700 = "slowonly_imagenet-pretrained-r50_16xb16-8x8x1-steplr-150e_kinetics700-rgb"
    heavy = "i3d_imagenet-pretrained-r50-heavy_8xb8-32x2x1-100e_kinetics400-rgb"
    multisports = "slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-8e_multisports-rgb"
    acrn = "slowfast-acrn_kinetics400-pretrained-r50_8xb8-8x8x1-cosine-10e_ava22-rgb"
    omni = "slowonly_omnisource_pretrained_r101_8x8x1_20e_ava_rgb"
    assert {model.url for model in MODELS} >= {
        f"{fair}/pyslowfast/model_zoo/ava/SLOWFAST_32x2_R101_50_50.pkl",
        f"{fair}/pyslowfast/model_zoo/ava/pretrain/C2D_8x8_R50.pkl",
        f"{fair}/pyslowfast/model_zoo/kinetics400/SLOWFAST_8x8_R50.pkl",
        f"{fair}/pyslowfast/pyslowfast/model_zoo/multigrid/model_zoo/Kinetics/SLOWFAST_8x8_R50_stepwise.pkl",
        f"{fair}/pyslowfast/videomoco_models/SwAV_SlowR50_8x8_T2_epoch_00200.pyth",
        f"{fair}/pytorchvideo/model_zoo/ava/SLOWFAST_8x8_R50_DETECTION.pyth",
        f"{fair}/pytorchvideo/model_zoo/kinetics/SLOWFAST_16x8_R101_50_50.pyth",
        f"{openmmlab}/v1.0/recognition/slowonly/{k700}/{k700}_20221013-15b93b10.pth",
        f"{openmmlab}/v1.0/recognition/i3d/{heavy}/{heavy}_20220812-ed501b31.pth",
        f"{openmmlab}/v1.0/detection/slowfast/{multisports}/{multisports}_20230320-af666368.pth",
        f"{openmmlab}/v1.0/detection/acrn/{acrn}/{acrn}_20220906-66ec24a2.pth",
        f"{openmmlab}/detection/ava/{omni}/{omni}_20201217-16378594.pth",
    }


def test_names_are_unique_stable_and_typeable():
    assert len({model.name for model in MODELS}) == len(MODELS) == len({model.url for model in MODELS})
    for model in MODELS:
        assert re.fullmatch(rf"{model.publisher.lower()}_[a-z0-9]+_r(50|101)[a-z0-9_]*", model.name)


def test_no_two_files_have_one_place(home):
    paths = {stored_path(model) for model in MODELS}
    assert len(paths) == len(MODELS)
    for model in MODELS:
        path = stored_path(model)
        assert path.name == model.url.rpartition("/")[2]
        assert path.is_relative_to(home / "weights" / model.publisher)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_row_agrees_with_itself(model):
    assert re.fullmatch(
        r"https://(dl\.fbaipublicfiles\.com|download\.openmmlab\.com)/[\w./-]+\.(pkl|pyth|pth)", model.url
    )
    assert re.fullmatch(r"(4x16|8x8|16x4|32x2|64x2)", model.clip)
    assert model.licence == "Apache-2.0"
    assert model.size is None
    assert (model.mean_ap is None) or (model.top1 is None)
    if model.config is None:
        assert model.remark
        assert not model.overrides
        return
    assert model.config in config_names()
    assert model.config.startswith("kinetics_") == (model.task == "classification")
    config = config_of_published(model)
    assert f"{config.clip.num_frames}x{config.clip.sampling_rate}" == model.clip
    assert f"R{config.network.depth}" in model.architecture
    assert bool(config.network.non_local) == ("non-local" in model.architecture)
    assert config.network.head == ("persons" if model.task == "detection" else "clip")
    with torch.device("meta"):
        build_network(config)


def test_hashes_are_those_of_the_file_names():
    told = {model.url: re.search(r"-([0-9a-f]{8})\.pth$", model.url) for model in MODELS}
    digits = {url: found[1] for url, found in told.items() if found}
    twice = {value for value, count in Counter(digits.values()).items() if count > 1}
    assert twice == {"df42dc84"}  # two different networks: one of the names must be wrong
    for model in MODELS:
        expected = digits.get(model.url)
        assert model.sha256 == (None if expected in twice else expected)
        assert (model.publisher == "mmaction2") == (expected is not None)
        assert expected not in twice or "df42dc84" in model.remark


def test_multisports_and_feature_banks():
    for model in MODELS:
        if model.data == "MultiSports":
            assert {"network.num_actions=66", "network.unused_column=false", "activation=softmax"} < {*model.overrides}
        assert ("long-term feature bank" in model.remark) == ("_lfb" in model.name)


def test_finding():
    model = find_published("pyslowfast_slowfast_r101_nl_8x8_ava22")
    assert published(model.name) is model
    assert model.mean_ap == 29.1
    assert published("nothing") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("PySlowFast_slowfast_r101_nl_8x8_ava2", "pyslowfast_slowfast_r101_nl_8x8_ava22", id="close"),
        pytest.param("zzz", "`slowfast-det models` lists all of them", id="far"),
    ],
)
def test_an_unknown_name(name, hint):
    with pytest.raises(InputError, match=f"^{name}: no published weights have that name; .*{hint}"):
        find_published(name)


def test_fetching_is_verified(server, home):
    data = b"PK\x03\x04" + b"weights" * 1000
    server.files["net-1.pth"] = data
    model = replace(find_published("mmaction2_slowfast_r50_8x8_ava22"), url=server.url("net-1.pth"))
    with pytest.raises(InputError, match="d934a48f is expected"):
        fetch_published(model, progress=False)
    model = replace(model, sha256=hashlib.sha256(data).hexdigest()[:8])
    for _ in range(2):
        assert fetch_published(model, progress=False) == home / "weights" / "mmaction2" / "net-1.pth"
    assert stored_path(model).read_bytes() == data
    assert len(server.asked) == 2


def test_no_torch():
    code = "import sys, slowfast_det.checkpoints.zoo as zoo; zoo.published_models(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_whose_clips_lie_a_frame_off():
    """mmaction2's AVADataset centres a frame late, AVAKineticsDataset a frame early, MultiSports not."""
    bases = {"AVA 2.1": 1, "AVA 2.2": 1, "AVA-Kinetics, AVA 2.2": -1, "MultiSports": 0}
    for model in MODELS:
        if model.publisher == "mmaction2" and model.task == "detection" and model.config is not None:
            assert config_of_published(model).clip.index_base == bases[model.data]
