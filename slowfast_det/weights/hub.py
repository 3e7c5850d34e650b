"""Torchvision's published weights, in torch's own cache."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor

from ava_tools.errors import InputError
from slowfast_det.weights.download import fetch
from slowfast_det.weights.files import open_weights, state_dict_of


def cached_path(url: str) -> Path:
    """Where the weights of ``url`` are or will be: torch's hub cache, shared with torchvision."""
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(urlparse(url).path)


def fetch_state_dict(url: str, *, check_hash: bool = True, progress: bool = True) -> dict[str, Tensor]:
    """State dict of published weights, downloaded unless they are already there.

    Args:
        url: its file name ends in the first digits of the file's SHA-256, as torchvision's do.
        check_hash: refuse a file whose content does not fit that name.
        progress: show a bar on the standard error.

    Raises:
        InputError: there is no network, or the file is not what it should be; the sentence says where
            to put a file that was fetched by other means.
    """
    path = cached_path(url)
    fetch(url, path, sha256=path.stem.rpartition("-")[2] if check_hash else None, progress=progress)
    state = state_dict_of(open_weights(path).content)
    if state is None:
        raise InputError(f"{path}: holds no state dict; delete it, and it will be fetched again from {url}")
    return state
