"""Published names wherever weights are given: fetched once, verified, used as their publisher's network."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch

import slowfast_det
from ava_tools import InputError
from slowfast_det.checkpoints import zoo
from slowfast_det.checkpoints.model import load_model, untrained_model
from slowfast_det.checkpoints.transfer import transfer
from slowfast_det.checkpoints.zoo import find_published, published_models, stored_path

NAME = "mmaction2_slowonly_r50_4x16_multisports"


@pytest.fixture
def published(server, home, tiny, tmp_path, monkeypatch):
    """A published model whose file on the server is the tiny network's, in a layout that does not tell what it is."""
    torch.save({"state_dict": load_model(tiny).network.state_dict()}, tmp_path / "net.pth")
    data = (tmp_path / "net.pth").read_bytes()
    server.files["net.pth"] = data
    model = replace(
        find_published(NAME),
        url=server.url("net.pth"),
        sha256=hashlib.sha256(data).hexdigest()[:8],
        config="tiny",
        overrides=("network.aligned=false", "activation=softmax", "labels=numbered"),
    )
    others = tuple(other for other in published_models() if other.name != NAME)
    monkeypatch.setattr(zoo, "published_models", lambda: (model, *others))
    return model


def test_a_name_is_fetched_once_and_brings_its_config(published, server, tiny):
    first = load_model(NAME)
    assert (first.name, first.config.network.aligned, first.config.activation) == (NAME, False, "softmax")
    assert torch.equal(first.network.head.projection.weight, load_model(tiny).network.head.projection.weight)
    assert slowfast_det.load_network(NAME, "tiny").head.aligned
    assert len(server.asked) == 1
    assert load_model(NAME, overrides=["clip.sampling_rate=2"]).clip.sampling_rate == 2


def test_predict_by_name(published, command, films, write_boxes, tmp_path):
    films.write(tmp_path / "film.mp4", films.steady(60, 30))
    outcome = command(
        "predict", "film.mp4", "--model", NAME, "--boxes", write_boxes(seconds=2), "--min-score", "0", "--save", "csv"
    )
    assert outcome.code == 0
    scores = [float(line.split(",")[-1]) for line in (tmp_path / "predictions" / "film.csv").read_text().splitlines()]
    assert len(scores) == 2 * 2 * 80
    assert sum(scores) == pytest.approx(2 * 2, abs=1e-3)  # a softmax


def test_a_training_may_begin_with_a_name(published, tiny):
    model = untrained_model("tiny")
    result = transfer(NAME, model)
    assert not result.skipped
    theirs = load_model(NAME).network.backbone.slow.stem.first.conv.weight
    assert torch.equal(model.network.backbone.slow.stem.first.conv.weight, theirs)


def test_convert_by_name(published, command, tmp_path):
    assert command("convert", NAME, "--out", "ours.safetensors").code == 0
    assert load_model(tmp_path / "ours.safetensors").config == load_model(NAME).config


def test_offline_the_sentence_says_what_to_put_where(home, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    model = find_published("mmaction2_slowfast_r50_8x8_ava22")
    with pytest.raises(InputError) as told:
        load_model(model.name)
    assert f"download {model.url} and put it at {stored_path(model)}" in str(told.value)


def test_what_has_no_config_is_told_why(home, server, monkeypatch):
    model = find_published("mmaction2_slowonly_r50_4x16_ava21_lfb_max")
    stored_path(model).parent.mkdir(parents=True)
    torch.save({"state_dict": untrained_model("slow_r50_4x16").network.state_dict()}, stored_path(model))
    with pytest.raises(InputError, match=f"{model.name}: cannot be used without its config; needs a long-term feature"):
        load_model(model.name)


@pytest.mark.parametrize("name", ["pyslowfast_slow_r50_4x16", "nothing-like-it"])
def test_neither_a_file_nor_a_name(name, home):
    with pytest.raises(InputError, match=f"^{name}: neither a file nor the name of published weights; "):
        load_model(name)
