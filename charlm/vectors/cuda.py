"""Which way skip-gram and CBOW train on a GPU: by kernels of our own, or by batches in PyTorch.

The files `cuda*.py` are the only ones of this room that import torch, and nothing but training on
a GPU imports them. They compute on any device that PyTorch has, which is how they are tested.
"""

from __future__ import annotations

import importlib.util
import logging

import torch

from charlm.base.devices import compiles
from charlm.base.errors import TaskError
from charlm.vectors.cuda_batches import BatchTrainer
from charlm.vectors.cuda_matrices import CudaTrainer
from charlm.vectors.cuda_programs import ProgramTrainer
from charlm.vectors.training import Settings, WordStream

logger = logging.getLogger(__name__)


def build_cuda_trainer(stream: WordStream, settings: Settings) -> CudaTrainer:
    """Return what trains on the GPU of this machine.

    Raises:
        TaskError: if there is none, or the vectors do not fit into its memory.
    """
    if not torch.cuda.is_available():
        raise TaskError("no CUDA device was found; use --device cpu, or auto")
    try:
        return _built(stream, settings, torch.device("cuda"))
    except torch.OutOfMemoryError as error:
        raise TaskError(
            f"{len(stream.counts):,} words x {settings.dim} do not fit into the GPU's memory; "
            "use a smaller --dim or --vocab-size, or --device cpu"
        ) from error


def _built(stream: WordStream, settings: Settings, device: torch.device) -> CudaTrainer:
    if has_triton() and ProgramTrainer.has_room_for(settings):
        try:
            trainer = ProgramTrainer(stream, settings, device)
            trainer.prepare()
            return trainer
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # no compiler, too old a GPU: batches do the same, slower
            logger.warning("kernels of our own cannot run on this GPU (%s)", error)
    return BatchTrainer(stream, settings, device)


def has_triton() -> bool:
    """Return whether there is what compiles kernels for NVIDIA's GPUs."""
    found = torch.version.cuda is not None and importlib.util.find_spec("triton") is not None
    return found and compiles()
