"""The linear branch of a classifier in training: at once, and then kept as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.joining import fit_shares
from charlm.classifying.training import Arrays, train_linear
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import Part
from charlm.tasks.train_events import Message, TrainEvent

_PREFIX = "linear."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Linear:
    """A trained linear branch: the form of a classifier of it alone, its arrays, its weight."""

    form: ClassifierConfig
    arrays: Arrays
    shares: list[float]

    def logits(self, part: Part) -> npt.NDArray[np.float32]:
        """Return (texts, labels)."""
        return Classifier(self.form, [], self.arrays).logits(part.words)

    def state(self) -> tuple[Arrays, list[float]]:
        """Return what `restore_linear` takes, the arrays by names of their own."""
        return {_PREFIX + name: array for name, array in self.arrays.items()}, self.shares


def train_linear_branch(
    form: ClassifierConfig, config: ClassifierTrainConfig, train: Part, valid: Part | None
) -> Generator[TrainEvent, None, Linear]:
    """Train the linear branch, yielding what came of it.

    Args:
        form: of the classifier, before its n-grams are known.
        config: what the user said.
        train: texts to learn from.
        valid: texts to find its weight by.

    Raises:
        TaskError: if no n-gram is frequent enough.
    """
    form, arrays = train_linear(
        form, train.words, train.gold, min_count=config.min_count, penalty=config.penalty
    )
    if not form.ngrams:
        raise TaskError(
            f"no n-gram is seen {config.min_count or 1:,} times; give a smaller --min-count"
        )
    linear = Linear(form=dataclasses.replace(form, num_layers=0), arrays=arrays, shares=[1.0])
    found = ""
    if valid is not None and len(valid.gold):
        logits = linear.logits(valid)
        shares, nats = fit_shares([logits], valid.gold)
        linear = dataclasses.replace(linear, shares=shares)
        right = float((logits.argmax(axis=1) == valid.gold).mean())
        found = f"  valid {right:.2%} right, {nats:.4f} nats"
    yield Message(text=f"n-grams: {form.ngrams:,}{found}")
    return linear


def restore_linear(
    form: ClassifierConfig, tensors: Mapping[str, npt.NDArray[Any]], shares: Any
) -> Linear:
    """Return the branch whose `state` is among some arrays.

    Raises:
        KeyError, TypeError, ValueError: if it is not.
    """
    keys = tensors[f"{_PREFIX}ngram_keys"]
    form = dataclasses.replace(form, num_layers=0, ngrams=len(keys))
    arrays = {name: tensors[_PREFIX + name] for name in form.tensor_shapes()}
    for name, shape in form.tensor_shapes().items():
        wanted = np.uint64 if name == "ngram_keys" else np.float32
        if arrays[name].shape != shape or arrays[name].dtype != wanted:
            raise ValueError(f"{name} has the shape {arrays[name].shape} of {arrays[name].dtype}")
    (share,) = shares
    return Linear(form=form, arrays=arrays, shares=[float(share)])
