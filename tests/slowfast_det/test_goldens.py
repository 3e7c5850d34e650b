"""Every architecture, from a file in its publisher's layout, against the publisher's own numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from golden import PEERS, clip_of, golden_of

from slowfast_det import load_classifier, load_network
from slowfast_det.checkpoints.model import load_any_model, load_model
from slowfast_det.checkpoints.reading import config_of_published
from slowfast_det.checkpoints.zoo import find_published

PYSLOWFAST = sorted(path.stem for path in (PEERS / "pyslowfast").iterdir())
DETECTORS = [name for name in PYSLOWFAST if not name.startswith("kinetics")]
CLASSIFIERS = [name for name in PYSLOWFAST if name.startswith("kinetics")]
MULTISPORTS = ["network.num_actions=66", "network.unused_column=false", "activation=softmax", "labels=numbered"]
MMACTION2 = [
    ("slowfast_r50_4x16x1_ava21", "mmaction2_slowfast_r50_4x16", []),
    ("slowfast_r50_context_4x16x1_ava21", "mmaction2_slowfast_r50_4x16_context", []),
    ("slowfast_r50_8x8x1_ava21", "mmaction2_slowfast_r50_8x8", []),
    ("slowfast_r50_temporal_max_8x8x1_ava22", "mmaction2_slowfast_r50_8x8_temporal_max", []),
    ("slowfast_acrn_r50_8x8x1_ava21", "mmaction2_slowfast_r50_8x8", ["network.context=acrn"]),
    ("slowfast_r50_4x16x1_multisports", "mmaction2_slowfast_r50_4x16", MULTISPORTS),
    ("slowonly_r50_4x16x1_ava21", "mmaction2_slowonly_r50_4x16", []),
    ("slowonly_r50_nl_4x16x1_ava21", "mmaction2_slowonly_r50_4x16_nl", []),
    (
        "slowonly_r50_nl_8x8x1_ava21",
        "mmaction2_slowonly_r50_4x16_nl",
        ["clip.num_frames=8", "clip.sampling_rate=8"],
    ),
    ("slowonly_r101_8x8x1_ava21", "mmaction2_slowonly_r101_8x8", []),
    ("slowonly_r50_tricks_16x4x1_ava_kinetics", "mmaction2_slowonly_r50_16x4_tricks", []),
]


def tolerance(expected):
    """1e-5, ten times closer than asked; of logits beyond 1 (the softmax non-local ones reach 26) that share."""
    return 1e-5 * max(1.0, float(expected.abs().max()))


def check(network, case, boxes, expected):
    with torch.inference_mode():
        found = network(clip_of(case, network.num_frames), boxes)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < tolerance(expected), case


@pytest.mark.parametrize("name", DETECTORS)
def test_pyslowfasts_detectors(name, tmp_path):
    golden = golden_of("pyslowfast", name)
    torch.save(golden.checkpoint(), tmp_path / "weights.bin")
    network = load_network(tmp_path / "weights.bin")
    fast = network.optimized("fp32")
    for case, numbers in golden.cases.items():
        check(network, case, numbers["rois"], numbers["logits"])
        check(fast, case, numbers["rois"], numbers["logits"])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_pyslowfasts_classifiers(name, tmp_path):
    golden = golden_of("pyslowfast", name)
    torch.save(golden.checkpoint(), tmp_path / "kinetics.pyth")
    classifier = load_classifier(tmp_path / "kinetics.pyth")
    for case, numbers in golden.cases.items():
        clip = clip_of(case, classifier.num_frames)
        for network in (classifier, classifier.optimized("fp32")):
            with torch.inference_mode():
                logits, scores = network.logits(clip), network(clip)
            assert (logits - numbers["logits_map"].squeeze(1)).abs().max() < 1e-4
            assert (scores - numbers["scores"]).abs().max() < 1e-5


@pytest.mark.parametrize(("name", "config", "overrides"), MMACTION2, ids=[row[0] for row in MMACTION2])
def test_mmaction2s_detectors(name, config, overrides, tmp_path):
    golden = golden_of("mmaction2", name)
    torch.save({"meta": {"mmengine_version": "0.10"}, "state_dict": golden.state()}, tmp_path / "weights.pkl")
    network = load_model(tmp_path / "weights.pkl", config, overrides=overrides).network
    (case,) = golden.cases
    expected = golden.cases[case]["logits"]
    actions = expected[:, 1:] if expected.shape[1] == 81 else expected  # column 0 stands for no action
    check(network, case, golden.cases[case]["rois"], actions)
    check(network.optimized("fp32"), case, golden.cases[case]["rois"], actions)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("recognizer_slowfast_r50_8x8x1", "mmaction2_slowfast_r50_8x8_k400"),
        ("recognizer_slowonly_r50_4x16x1", "mmaction2_slowonly_r50_4x16_k400"),
    ],
)
def test_mmaction2s_classifiers(name, published, tmp_path):
    """As the zoo describes them: columns of the fast pathway first, everything averaged at any size."""
    golden = golden_of("mmaction2", name)
    torch.save({"state_dict": golden.state()}, tmp_path / "weights.pth")
    (tmp_path / "as_published.yaml").write_text(config_of_published(find_published(published)).model_dump_json())
    classifier = load_classifier(tmp_path / "weights.pth", tmp_path / "as_published.yaml")
    for case, numbers in golden.cases.items():
        with torch.inference_mode():
            logits = classifier.logits(clip_of(case, classifier.num_frames))
            scores = classifier(clip_of(case, classifier.num_frames))
        assert (logits.flatten(0, 2) - numbers["logits"]).abs().max() < 1e-4
        assert (scores - numbers["logits"].softmax(1)).abs().max() < 1e-5


@pytest.mark.parametrize("aligned", [False, True], ids=["as published", "aligned"])
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("slow_r50_detection", "pytorchvideo_slow_r50_4x16"),
        ("slowfast_r50_detection", "pytorchvideo_slowfast_r50_8x8"),
    ],
)
def test_pytorchvideos_detectors(name, config, aligned, tmp_path):
    golden = golden_of("pytorchvideo", name)
    torch.save({"model_state": golden.state()}, tmp_path / "weights.pyth")
    overrides = ["network.aligned=true"] if aligned else []
    network = load_model(tmp_path / "weights.pyth", config, overrides=overrides).network
    ((case, numbers),) = golden.cases.items()
    check(network, case, numbers["rois"], numbers["logits_if_aligned" if aligned else "logits"])


def caffe2_pickle(path, golden, protocol):
    """As the publisher's are: 1 x 1 convolutions without their last dimensions, the optimiser's blobs beside."""
    state, blobs = golden.state(), {}
    for blob, name in golden.caffe2.items():
        value = state[name].numpy()
        if "nonlocal" in blob and value.ndim == 5:
            value = value.reshape(value.shape[:2])
        blobs[blob] = value
        if blob.endswith("_w"):
            blobs[f"{blob}_momentum"] = np.zeros((1,), np.float32)
    path.write_bytes(pickle.dumps({"blobs": blobs | {"lr": np.float32(0.1), "model_iter": np.int64(9)}}, protocol))


@pytest.mark.parametrize("name", [name for name in DETECTORS if golden_of("pyslowfast", name).caffe2])
def test_caffe2_pickles_hold_the_same(name, tmp_path):
    golden = golden_of("pyslowfast", name)
    torch.save(golden.checkpoint(), tmp_path / "weights.pyth")
    caffe2_pickle(tmp_path / "weights.pkl", golden, protocol=2)
    (tmp_path / "theirs.yaml").write_text(golden.cfg)
    first = load_network(tmp_path / "weights.pyth").state_dict()
    second = load_network(tmp_path / "weights.pkl", tmp_path / "theirs.yaml").state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "slow.pyth"
    torch.save(golden_of("pyslowfast", "SLOW_8x8_R50_SHORT").checkpoint(), path)
    return load_network(path)


def test_no_persons_is_a_normal_input(slow):
    with torch.inference_mode():
        assert slow(torch.zeros(1, 3, slow.num_frames, 64, 64), torch.zeros(0, 5)).shape == (0, 80)


def test_a_person_scores_the_same_alone_and_in_a_batch(slow):
    clip = clip_of("b2_96x128", slow.num_frames)
    boxes = torch.tensor([[0, 10, 10, 60, 80.0], [1, 5, 20, 90, 90.0]])
    with torch.inference_mode():
        together = slow(clip, boxes)
        alone = slow(clip[1:], torch.tensor([[0, 5, 20, 90, 90.0]]))
    assert torch.allclose(together[1:], alone, atol=1e-5)


def test_a_classifier_is_no_detector(tmp_path):
    torch.save(golden_of("pyslowfast", "kinetics_SLOW_4x16_R50").checkpoint(), tmp_path / "kinetics.pyth")
    with pytest.raises(ValueError, match="scores whole clips, not persons"):
        load_network(tmp_path / "kinetics.pyth")
    torch.save(golden_of("pyslowfast", "SLOW_8x8_R50_SHORT").checkpoint(), tmp_path / "ava.pyth")
    with pytest.raises(ValueError, match="scores persons, not whole clips"):
        load_classifier(tmp_path / "ava.pyth")
    assert load_any_model(tmp_path / "kinetics.pyth").labels.names[0]
