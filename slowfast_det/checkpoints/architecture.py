"""From a configuration to the network that it describes: plain values are handed over."""

from __future__ import annotations

from ava_tools.errors import InputError
from slowfast_det.config import Config
from slowfast_det.models.backbone import SinglePathway, SlowFast
from slowfast_det.models.blocks import BLOCKS
from slowfast_det.models.classifier_head import ClassifierHead
from slowfast_det.models.network import ActionNetwork, ClassifierNetwork
from slowfast_det.models.nonlocal_block import NonLocalPlacement
from slowfast_det.models.roi_head import RoIHead
from slowfast_det.network_config import NetworkConfig

Network = ActionNetwork | ClassifierNetwork


def build_network(config: Config) -> Network:
    """The network of a configuration, with uninitialised weights: of persons or, with ``head: clip``, of clips.

    Raises:
        InputError: the configuration names a block that its depth lacks.
    """
    frames = config.clip.num_frames
    if config.network.head == "clip":
        return classifier_network(config.network, frames, exclusive=config.activation == "softmax")
    return action_network(config.network, frames)


def action_network(config: NetworkConfig, num_frames: int) -> ActionNetwork:
    """The network that scores each person."""
    backbone = _backbone(config, num_frames)
    head = RoIHead(
        backbone.out_channels,
        config.num_actions,
        resolution=config.roi_resolution,
        feature_stride=config.feature_stride,
        aligned=config.aligned,
        temporal_pooling=config.temporal_pooling,
        context=config.context,
        mlp=config.mlp_head,
        unused_column=config.unused_column,
        dropout=config.dropout,
    )
    return ActionNetwork(backbone, head, num_frames)


def classifier_network(config: NetworkConfig, num_frames: int, *, exclusive: bool = True) -> ClassifierNetwork:
    """The network that scores whole clips."""
    backbone = _backbone(config, num_frames)
    head = ClassifierHead(
        backbone.out_channels,
        config.num_actions,
        window=config.window,
        mlp=config.mlp_head,
        dropout=config.dropout,
    )
    return ClassifierNetwork(backbone, head, num_frames, exclusive=exclusive)


def _backbone(config: NetworkConfig, num_frames: int) -> SlowFast | SinglePathway:
    fast_depth = config.fast_depth or config.depth
    slow_blocks = config.slow_temporal_blocks or BLOCKS[config.depth]
    fast_blocks = config.fast_temporal_blocks or BLOCKS[fast_depth]
    try:
        if config.architecture == "slowfast":
            return SlowFast(
                width=config.width,
                depth=(config.depth, fast_depth),
                num_frames=num_frames,
                alpha=config.alpha,
                beta=config.beta,
                slow_frames=config.slow_frames,
                lateral=config.lateral,
                fusion=config.fusion,
                fusion_ratio=config.fusion_ratio,
                fusion_kernel=config.fusion_kernel,
                fusion_norm=config.fusion_norm,
                temporal_blocks=(slow_blocks, fast_blocks),
                strides=config.strides,
                dilations=config.dilations,
                non_local=(_placements(config, "slow"), _placements(config, "fast")),
            )
        return SinglePathway(
            config.architecture,
            width=config.width,
            depth=config.depth,
            temporal_blocks=fast_blocks if config.architecture == "fast" else slow_blocks,
            temporal_pool=config.temporal_pool,
            strides=config.strides,
            dilations=config.dilations,
            stride_first=config.stride_first,
            stem_strides=config.stem_strides,
            stem_pool_padding=config.stem_pool_padding,
            non_local=_placements(config, config.only_pathway),
        )
    except ValueError as wrong:
        raise InputError(f"the network cannot be built: {wrong}") from None


def _placements(config: NetworkConfig, pathway: str) -> list[NonLocalPlacement]:
    return [
        NonLocalPlacement(
            entry.stage, entry.blocks, entry.affinity, entry.pool, entry.groups, project_first=entry.project_first
        )
        for entry in config.non_local
        if entry.pathway == pathway
    ]
