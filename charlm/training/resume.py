"""The whole state of a run as arrays and plain values, and back, exactly."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charlm.base.errors import CheckpointError
from charlm.models.given_rows import hold_rows
from charlm.models.language_model import LanguageModel
from charlm.store.tensors import LARGEST
from charlm.training.config import MOST_STEPS
from charlm.training.scaling import LossScale
from charlm.training.trainer import Trainer

Arrays = dict[str, npt.NDArray[Any]]
OTHER_DEVICES = (5056, 16)  # bytes of a generator's state on a CPU and on a GPU
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of a parameter


class Snapshot:
    """A trainer's state at one step, in memory of its own that every `take` writes anew.

    Memory that is used again costs a copy half as much as fresh memory, whose pages the system
    has to find first; training stands still meanwhile.
    """

    def __init__(self) -> None:
        self.step = 0
        self.arrays: Arrays = {}
        self.values: dict[str, Any] = {}
        self._copies: dict[str, torch.Tensor] = {}
        self._averages: dict[str, str] = {}

    def take(self, trainer: Trainer) -> None:
        """Copy everything that the next step depends on."""
        self.step = trainer.step
        self.arrays = {name: self._copy(name, found) for name, found in _tensors(trainer)}
        self._averages = _names_of_averages(trainer)
        self.values = {
            "step": trainer.step,
            "streams": trainer.streams.state(),
            "generator": _text(trainer.generator.get_state()),
            "averaged": 0 if trainer.averages is None else trainer.averages.updates,
        }

    def weights(self) -> Arrays:
        """Return the model's weights at that step, averaged where averages are kept."""
        prefix = "model."
        plain = [name for name in self.arrays if name.startswith(prefix)]
        return {
            name.removeprefix(prefix): self.arrays[self._averages.get(name, name)] for name in plain
        }

    def _copy(self, name: str, tensor: torch.Tensor) -> npt.NDArray[Any]:
        copy = self._copies.get(name)
        if copy is None or copy.shape != tensor.shape or copy.dtype != tensor.dtype:
            copy = self._copies[name] = torch.empty_like(
                tensor, device="cpu", memory_format=torch.contiguous_format
            )
        found: npt.NDArray[Any] = copy.copy_(tensor.detach()).numpy()
        return found


def pack(trainer: Trainer) -> tuple[Arrays, dict[str, Any]]:
    """Return everything that the next step depends on, copied."""
    snapshot = Snapshot()
    snapshot.take(trainer)
    return snapshot.arrays, snapshot.values


def _tensors(trainer: Trainer) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in trainer.model.state_dict().items():
        yield f"model.{name}", tensor
    for index, parameter in enumerate(_parameters(trainer)):
        for key, value in trainer.optimizer.state.get(parameter, {}).items():
            yield f"optimizer.{index}.{key}", torch.as_tensor(value)
    if trainer.model.learns is not None:
        yield "learns", trainer.model.learns
    if trainer.averages is not None:
        for index, average in enumerate(trainer.averages.averages):
            yield f"average.{index}", average
    if trainer.scale is not None:
        yield "loss_scale", trainer.scale.values
    for index, layer in enumerate(trainer.whole_state()):
        for part, tensor in enumerate(layer):
            yield f"state.{index}.{part}", tensor


def _names_of_averages(trainer: Trainer) -> dict[str, str]:
    """Return, by the name of a model's array, that of the array with its average."""
    averages = trainer.averages
    if averages is None or not averages.updates:
        return {}
    places = {id(parameter): index for index, parameter in enumerate(averages.parameters)}
    return {
        f"model.{name}": f"average.{places[id(parameter)]}"
        for name, parameter in trainer.model.named_parameters(remove_duplicate=False)
    }


def unpack(trainer: Trainer, arrays: Arrays, values: dict[str, Any]) -> None:
    """Put a trainer where `pack` found another one of the same shape.

    Raises:
        CheckpointError: if the state is not one of such a trainer.
    """
    try:
        _unpack(trainer, arrays, values)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(
            f"the training state does not fit this model ({what[:200]}); "
            "start anew with --overwrite"
        ) from error


def weights_of(model: LanguageModel, arrays: Arrays, prefix: str) -> Arrays:
    """Return a model's weights among the arrays of a state, by their names behind `prefix`.

    Raises:
        CheckpointError: if one is missing or of another shape.
    """
    try:
        return {
            name: _shaped(arrays, prefix + name, tensor.shape).numpy()
            for name, tensor in model.state_dict().items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the training state lacks weights of this model ({error}); start anew with --overwrite"
        ) from error


def _unpack(trainer: Trainer, arrays: Arrays, values: dict[str, Any]) -> None:
    trainer.queue = None  # whose tensors would be those of before
    model = trainer.model
    device = model.output.bias.device
    model.load_state_dict(
        {
            name: _shaped(arrays, f"model.{name}", there.shape)
            for name, there in model.state_dict().items()
        }
    )
    if "learns" in arrays:
        hold_rows(model, _shaped(arrays, "learns", (len(model.embedding.weight), 1)))
    for index, parameter in enumerate(_parameters(trainer)):
        start = f"optimizer.{index}."
        if any(name.startswith(start) for name in arrays):
            trainer.optimizer.state[parameter] = {
                key: _shaped(arrays, start + key, () if key == "step" else parameter.shape).to(
                    device
                )
                for key in MOMENTS
            }
    if trainer.averages is not None:
        trainer.averages.updates = _count(values["averaged"])
        for index, average in enumerate(trainer.averages.averages):
            average.copy_(_shaped(arrays, f"average.{index}", average.shape))
    trainer.step = _count(values["step"])
    begun = trainer.step > 0  # before the first step there is no state yet
    trainer.state = [
        tuple(
            _shaped(arrays, f"state.{index}.{part}", there.shape).to(device)
            for part, there in enumerate(layer)
        )
        for index, layer in enumerate(model.initial_state(trainer.batch_size) if begun else [])
    ]
    if "loss_scale" in arrays:
        trainer.scale = LossScale(device)
        trainer.scale.values.copy_(_shaped(arrays, "loss_scale", (2,)))
    trainer.streams.restore(values["streams"])
    _restore_generator(trainer, _bytes(values["generator"]))


def _restore_generator(trainer: Trainer, state: torch.Tensor) -> None:
    """Set the random state; that of another kind of device is replaced by one for this step."""
    generator = trainer.generator
    if len(state) in OTHER_DEVICES and len(state) != len(generator.get_state()):
        generator.manual_seed(generator.initial_seed() + trainer.step)
    else:
        generator.set_state(state)


def _parameters(trainer: Trainer) -> list[torch.Tensor]:
    return [p for group in trainer.optimizer.param_groups for p in group["params"]]


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_STEPS:
        raise ValueError(f"{value!r:.60} is no number of steps")
    return value


def _shaped(arrays: Arrays, name: str, shape: Sequence[int]) -> torch.Tensor:
    array = np.array(arrays[name])
    if array.shape != tuple(shape) or array.dtype.kind != "f":
        raise ValueError(f"{name} has the shape {array.shape} of {array.dtype}")
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"{name} holds NaN, or a number beyond {LARGEST:g}")
    return torch.from_numpy(array)


def _text(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
