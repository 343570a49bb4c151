"""The whole state of a run as arrays and plain values, and back, exactly."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charlm.base.errors import CheckpointError
from charlm.training.loop import Trainer

Arrays = dict[str, npt.NDArray[Any]]


def pack(trainer: Trainer) -> tuple[Arrays, dict[str, Any]]:
    """Return everything that the next step depends on.

    The arrays are copies: training may go on while they are written.
    """
    arrays: Arrays = {}
    for name, tensor in trainer.model.state_dict().items():
        arrays[f"model.{name}"] = _array(tensor)
    for index, parameter in enumerate(_parameters(trainer)):
        for key, value in trainer.optimizer.state.get(parameter, {}).items():
            arrays[f"optimizer.{index}.{key}"] = _array(torch.as_tensor(value))
    if trainer.averages is not None:
        for index, average in enumerate(trainer.averages.averages):
            arrays[f"average.{index}"] = _array(average)
    for index, layer in enumerate(trainer.state):
        for part, tensor in enumerate(layer):
            arrays[f"state.{index}.{part}"] = _array(tensor)
    values = {
        "step": trainer.step,
        "streams": trainer.streams.state(),
        "generator": _text(trainer.generator.get_state()),
        "averaged": 0 if trainer.averages is None else trainer.averages.updates,
    }
    return arrays, values


def unpack(trainer: Trainer, arrays: Arrays, values: dict[str, Any]) -> None:
    """Put a trainer where `pack` found another one of the same shape.

    Raises:
        CheckpointError: if the state is not one of such a trainer.
    """
    try:
        _unpack(trainer, arrays, values)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"the training state does not fit this model ({error}); start anew with --overwrite"
        ) from error


def _unpack(trainer: Trainer, arrays: Arrays, values: dict[str, Any]) -> None:
    model = trainer.model
    device = model.output.bias.device
    model.load_state_dict({name: _tensor(arrays, f"model.{name}") for name in model.state_dict()})
    for index, parameter in enumerate(_parameters(trainer)):
        start = f"optimizer.{index}."
        found = {name.removeprefix(start): name for name in arrays if name.startswith(start)}
        if found:
            trainer.optimizer.state[parameter] = {
                key: _tensor(arrays, name).to(device) for key, name in found.items()
            }
    if trainer.averages is not None:
        trainer.averages.updates = int(values["averaged"])
        for index, average in enumerate(trainer.averages.averages):
            average.copy_(_tensor(arrays, f"average.{index}"))
    rows = len(trainer.streams.cursors)
    trainer.state = [
        tuple(_tensor(arrays, f"state.{index}.{part}").to(device) for part in range(len(layer)))
        for index, layer in enumerate(model.initial_state(rows))
    ]
    trainer.step = int(values["step"])
    trainer.streams.restore(values["streams"])
    trainer.generator.set_state(_bytes(values["generator"]))


def _parameters(trainer: Trainer) -> list[torch.Tensor]:
    return [p for group in trainer.optimizer.param_groups for p in group["params"]]


def _array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy())


def _tensor(arrays: Arrays, name: str) -> torch.Tensor:
    return torch.from_numpy(np.array(arrays[name]))


def _text(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
