"""Small recurrent language models: train, sample, score.

`load(name)` opens a model; everything here is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charlm.base.errors import (
        CharlmError,
        CheckpointError,
        ConfigError,
        CorpusError,
        TaskError,
        TokenizerError,
    )
    from charlm.generation.sampling import SamplingConfig
    from charlm.tasks.api import Model, load
    from charlm.training.config import TrainConfig

__version__ = "0.1.0"

__all__ = [
    "CharlmError",
    "CheckpointError",
    "ConfigError",
    "CorpusError",
    "Model",
    "SamplingConfig",
    "TaskError",
    "TokenizerError",
    "TrainConfig",
    "__version__",
    "load",
]

_HOMES = {
    "Model": "charlm.tasks.api",
    "SamplingConfig": "charlm.generation.sampling",
    "TrainConfig": "charlm.training.config",
    "load": "charlm.tasks.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'charlm' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES.get(name, "charlm.base.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
