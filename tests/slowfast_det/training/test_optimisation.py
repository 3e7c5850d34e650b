"""Losses and optimiser steps, against definitions and PySlowFast's own two steps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden import FIXTURES, checkpoint_of, clip_of, golden_cases
from torch import nn

from slowfast_det.checkpoints.architecture import action_network
from slowfast_det.checkpoints.model import load_config
from slowfast_det.checkpoints.pyslowfast import our_name
from slowfast_det.recipe import TrainingConfig
from slowfast_det.training.loss import action_loss, balancing_weights
from slowfast_det.training.optimiser import make_optimiser

MODEL = "SLOWFAST_32x2_R50_SHORT"


def test_two_steps_of_pyslowfast():
    """Loss, gradient, weights and norm statistics of two SGD steps on the golden clips and labels.

    The first step is held to every sampled number. It moves the weights so far (a gradient of length 68 at a
    learning rate of 0.1) that single elements of the second gradient depend on the last bits of the first: with
    the peer's own order of operations they are equal bit for bit, with ours only norms and losses are.
    """
    torch.set_num_threads(2)  # as the golden run: the order of sums is part of the rounding
    golden = json.loads((FIXTURES / "train_step.json").read_text())
    config = load_config("slowfast_r50_8x8")
    network = action_network(config.network.model_copy(update={"dropout": 0.0}), 32)
    network.load_state_dict({our_name(name): value for name, value in checkpoint_of(MODEL)["model_state"].items()})
    optimiser = make_optimiser(network.train(), TrainingConfig())
    groups = [(len(group["params"]), group["weight_decay"]) for group in optimiser.param_groups]
    assert groups == [(group["n"], group["wd"]) for group in golden["groups"]]
    targets = torch.zeros(3, 80)
    targets[tuple(zip(*golden["labels_nonzero"], strict=True))] = 1
    boxes = next(boxes for case, boxes, _ in golden_cases(MODEL) if case == "b2_96x128")
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for number, step in enumerate(golden["steps"]):
        loss = action_loss(network(clip_of("b2_96x128", 32), boxes), targets).mean()
        optimiser.zero_grad()
        loss.backward()
        length = nn.utils.clip_grad_norm_(network.parameters(), torch.inf)
        assert loss.item() == pytest.approx(step["loss"], rel=1e-4)
        assert length.item() == pytest.approx(step["grad_norm"], rel=1e-4 if number == 0 else 2e-3)
        for name, (norm, first) in step["grads"].items():
            same(state[our_name(name)].grad, norm, first if number == 0 else None, 1e-4 if number == 0 else 2e-2)
        optimiser.step()
        for name, (norm, first) in step["after"].items():
            same(state[our_name(name)].detach(), norm, first if number == 0 else None, 1e-4)
        for name, first in step["bn"].items():
            np.testing.assert_allclose(state[our_name(name)][:4], first, rtol=1e-4)


def same(tensor, norm, first, tolerance):
    assert tensor.double().norm().item() == pytest.approx(norm, rel=tolerance)
    if first is not None:
        np.testing.assert_allclose(tensor.flatten()[:4], first, rtol=tolerance, atol=tolerance * np.abs(first).max())


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_losses_of_actions_that_exclude_each_other(gamma):
    """One answer a person is torch's cross-entropy; several are asked for one by one; none costs nothing."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, generator=random)
    targets = [*torch.eye(5)[[0, 3, 3]].tolist(), [0, 1, 1, 0, 0]]
    found = action_loss(logits, torch.tensor(targets), gamma=gamma, exclusive=True)
    chances = logits.softmax(1)
    expected = nn.functional.cross_entropy(logits[:3], torch.tensor([0, 3, 3]), reduction="none")
    right = chances[torch.arange(3), torch.tensor([0, 3, 3])]
    torch.testing.assert_close(found[:3], expected * (1 - right) ** gamma)
    both = -(chances[3, 1:3].log() * (1 - chances[3, 1:3]) ** gamma).sum()
    torch.testing.assert_close(found[3], both)
    assert not action_loss(logits[:1], torch.zeros(1, 5), gamma=gamma, exclusive=True).any()


def by_definition(logits, targets, gamma=0.0):
    """Cross-entropy of every action in plain Python numbers."""
    probabilities = 1 / (1 + np.exp(-logits))
    right = np.where(targets == 1, probabilities, 1 - probabilities)
    return -np.log(right) * (1 - right) ** gamma


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_losses(gamma):
    random = np.random.default_rng(0)
    logits, targets = random.normal(0, 3, (5, 7)), random.integers(0, 2, (5, 7)).astype(float)
    weights = random.uniform(0.5, 2, 7)
    expected = by_definition(logits, targets, gamma)
    plain, weighted = (
        action_loss(torch.tensor(logits), torch.tensor(targets, dtype=torch.float32), gamma=gamma, weights=chosen)
        for chosen in (None, torch.tensor(weights, dtype=torch.float32))
    )
    np.testing.assert_allclose(plain, expected.mean(1), rtol=1e-5)
    np.testing.assert_allclose(weighted, (expected * weights).mean(1), rtol=1e-5)


def test_loss_of_nobody_still_reaches_the_weights():
    layer = nn.Linear(3, 4)
    action_loss(layer(torch.zeros(0, 3)), torch.zeros(0, 4)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() == 0


def test_extreme_logits_stay_finite():
    loss = action_loss(torch.tensor([[1e4, -1e4]]), torch.tensor([[0.0, 1.0]]), gamma=2.0)
    assert torch.isfinite(loss).all()


def test_balancing_weights():
    examples = np.array([0, 1, 10, 1000])
    beta = 0.99
    expected = np.array([1, 1, (1 - beta) / (1 - beta**10), (1 - beta) / (1 - beta**1000)])
    np.testing.assert_allclose(balancing_weights(examples, beta), expected / expected.mean(), rtol=1e-5)
