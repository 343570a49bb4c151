"""A text as a recurrent model reads it: its weights, and the tokens with what they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.engine.blas import blas_threads
from charlm.engine.inspection import LayerBlock, read_layers
from charlm.tasks.adaptive import Network, open_network
from charlm.tasks.load import OpenModel, open_model
from charlm.tasks.spans import token_texts


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A model, a text's ids (time,), and what each of them stands for in the text."""

    opened: OpenModel
    network: Network
    ids: npt.NDArray[np.integer[Any]]
    texts: tuple[str, ...]

    def blocks(self) -> Iterator[LayerBlock]:
        """Yield the layers over the text, block by block."""
        with self.threads():
            yield from read_layers(self.network.config, self.network.tensors, self.ids)

    def threads(self) -> AbstractContextManager[None]:
        """Return the context in which the network runs on as many threads as suit it."""
        return blas_threads(self.network.threads)

    def token(self, index: int) -> str:
        """Return the name of a token in the vocabulary."""
        return str(self.opened.tokenizer.token(int(self.ids[index])))

    def layers(self, layer: int | None) -> range:
        """Return the layers that are meant, from 0; None means all.

        Raises:
            TaskError: if the model has no such layer.
        """
        count = self.network.config.num_layers
        if layer is None:
            return range(count)
        if not 1 <= layer <= count:
            has = "1 layer" if count == 1 else f"{count} layers"
            raise TaskError(f"{self.opened.name!r} has {has}, got --layer {layer}")
        return range(layer - 1, layer)


def open_recurrent(name: str | None) -> OpenModel:
    """Return the recurrent language model of that name or folder; None takes the newest."""
    return open_model(name, kinds=("lm",))


def read_text(opened: OpenModel, text: str) -> Reading:
    """Return a text as a model reads it.

    Raises:
        TaskError: if the model is not a recurrent one, or the text has no token.
    """
    network = open_network(opened, "inspect")
    ids = opened.tokenizer.encode(text)
    if not len(ids):
        raise TaskError("the text is empty; inspect needs at least one token")
    return Reading(opened, network, ids, tuple(token_texts(opened.tokenizer, text, ids)))
