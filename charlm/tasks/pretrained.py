"""A language model's embedding and layers, as what another network of words begins with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.engine.birnn_config import DIRECTIONS
from charlm.tasks.embed import open_backward
from charlm.tasks.load import model_config, open_model
from charlm.tasks.vectors_open import open_space
from charlm.vectors.space import Space

_TOKENIZERS = ("word", "whitespace")
_SIZES = ("cell", "hidden_size", "num_layers", "word_dim")


class PretrainedModel:
    """The parts of a language model that another network takes over; it learns on from them.

    The words' own vectors are the model's embedding; the layers that read forwards are the
    model's, those that read backwards are its backward half's, if it has one.

    Attributes:
        name: of the model.
        space: its words and their vectors.
        unknown: the vector of a word that it does not know; None where it knows no such thing.

    Source:
        Dai and Le (2015), arXiv:1511.01432; both directions as Peters et al. (2018).
    """

    def __init__(self, name: str, noun: str) -> None:
        """Open the model.

        Args:
            name: of the model, or its folder.
            noun: what begins with it, as messages name it, with its article.

        Raises:
            CheckpointError: if there is none, or it is damaged.
            TaskError: if it is none of words, or its layers cannot be taken over.
        """
        opened = open_model(name, kinds=("lm",))
        if opened.tokenizer.name not in _TOKENIZERS:
            raise TaskError(
                f"{opened.name} reads {opened.tokenizer.name} tokens; {noun} starts from a "
                "language model of words (charlm train lm TEXT --tokenizer word --lowercase)"
            )
        self._config = model_config(opened.stored)
        if self._config.skip:
            raise TaskError(f"{opened.name} has skip connections, which {noun} has not")
        backward, _ = open_backward(opened)
        stored = [opened.stored, *([backward.stored] if backward else [])]
        self._tensors = [one.tensors() for one in stored]
        self.name = opened.name
        self.space: Space = open_space(str(opened.folder)).space
        unk = opened.tokenizer.unk_id
        self.unknown = None if unk is None else np.asarray(self.space.matrix[unk], np.float32)

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions whose layers are taken over."""
        return DIRECTIONS[: len(self._tensors)]

    def sizes(self, config: Any) -> dict[str, Any]:
        """Return the form of the model as settings, for a network that begins with it.

        Args:
            config: what the user said, with the settings' names; a default was not said. Of the
                layers the first ones may be taken alone.

        Raises:
            TaskError: for a setting that does not fit.
        """
        own: dict[str, Any] = {
            "word_dim": self._config.embedding_dim,
            "cell": self._config.cell,
            "reset": self._config.reset,
            "hidden_size": self._config.hidden_size,
            "num_layers": self._config.num_layers,
        }
        defaults = {field.name: field.default for field in dataclasses.fields(config)}
        for name in _SIZES:
            said = getattr(config, name)
            if said == defaults[name] or said == own[name]:
                continue
            if name != "num_layers" or said > own[name]:
                raise TaskError(
                    f"--{name.replace('_', '-')} {said} does not fit {self.name}, where it is "
                    f"{own[name]}; leave it out"
                )
            own[name] = said
        return own

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the parameters of the layers, by the names that a `BiRNN` has for them."""
        found = {}
        for direction, tensors in zip(self.directions, self._tensors, strict=True):
            for name, array in tensors.items():
                kind, _, rest = name.partition(".")
                if kind == "layers":
                    layer, _, part = rest.partition(".")
                    found[f"layers.{layer}.{direction}.{part}"] = np.array(array, np.float32)
        return found
