"""Rows of a language model's embedding that begin with vectors made elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from charlm.models.language_model import LanguageModel


@torch.no_grad()
def begin_with(model: LanguageModel, table: Tensor) -> Tensor:
    """Set rows of the embedding to vectors; return (V + 1, 1), 0 for these rows and 1 for others.

    All are scaled by one number, the spread of an embedding that begins at random: so the first
    layer, and an output that shares them, see what is as strong as they would have seen otherwise.

    Args:
        model: initialised.
        table: (V, D), numbers of a root mean square of 1; a row of zeros stands for no vector.
    """
    weight = model.embedding.weight
    table = table.to(weight.device)
    has = table.any(dim=1)
    weight[: len(table)][has] = table[has] * model.spread
    learns = weight.new_ones(len(weight), 1)
    learns[: len(table)][has] = 0.0
    return learns


def hold_rows(model: LanguageModel, learns: Tensor) -> None:
    """Let training move the rows of the embedding where `learns`, (V + 1, 1), is 1, and no others.

    Their gradient becomes zero before anybody sees it, and Adam, which lets embeddings undecayed,
    moves nothing whose gradient always was.
    """
    if model.held is not None:
        model.held.remove()
    model.learns = learns.to(model.embedding.weight.device)
    model.held = model.embedding.weight.register_hook(_Hold(model.learns))


class _Hold:
    def __init__(self, learns: Tensor) -> None:
        self._learns = learns

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient * self._learns
