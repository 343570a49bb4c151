"""Where word vectors are trained: on the CPU or a GPU; PyTorch is asked only if one seems there."""

from __future__ import annotations

from pathlib import Path

from charlm.base.devices import computes
from charlm.base.errors import ConfigError
from charlm.tasks.train_vectors_config import VectorsTrainConfig

_ON_GPUS = ("sgns", "cbow")
# What NVIDIA's driver puts there, and Windows' for its Linux.
_SIGNS = ("/dev/nvidiactl", "/dev/dxg")


def choose_device(config: VectorsTrainConfig) -> str:
    """Return `cpu` or `cuda`: what was asked for, or for `auto` what suits.

    That is a GPU if there is one, the method has a form for it, and no number of CPU threads is
    asked for.

    Raises:
        ConfigError: if the method has no form for the GPU that was asked for.
    """
    has_form = config.method in _ON_GPUS
    if config.device == "cuda" and not has_form:
        raise ConfigError(f"{config.method} is trained on the CPU only; leave --device cuda out")
    if config.device != "auto":
        return config.device
    return "cuda" if has_form and config.threads is None and has_gpu() else "cpu"


def has_gpu() -> bool:
    """Return whether PyTorch can compute on a GPU here; asks it only where one may be."""
    if not any(Path(sign).exists() for sign in _SIGNS):
        return False
    import torch

    return computes(torch)
