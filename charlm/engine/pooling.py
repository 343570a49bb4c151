"""From a network's outputs at every word to one row of features a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from charlm.engine.layers import Float32
from charlm.engine.pooling_config import pooled_size


def pool(
    outputs: Float32,
    lengths: Sequence[int],
    pooling: str,
    tensors: Mapping[str, Float32],
    prefix: str = "",
) -> Float32:
    """Return (texts, features); a text without words has zeros.

    Args:
        outputs: (words, size), texts one after another, forward direction in the first half.
        lengths: of the texts, 0 and more.
        pooling: `max`, `mean`, both beside each other, `last` (the forward direction at the last
            word, the backward one at the first), or `attention`, a mean weighed by
            softmax(v · tanh(W h + b)).
        tensors: by the names of `pooling_shapes`, after `prefix`.

    Source:
        Zhou et al. (2016), "Attention-Based Bidirectional LSTM", for the attention.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    result = np.zeros((len(sizes), pooled_size(pooling, outputs.shape[1])), np.float32)
    filled = np.flatnonzero(sizes)
    if not len(filled):
        return result
    ends = np.cumsum(sizes)[filled]
    begins = ends - sizes[filled]
    if pooling == "last":
        half = outputs.shape[1] // 2
        result[filled, :half] = outputs[ends - 1, :half]
        result[filled, half:] = outputs[begins, half:]
    elif pooling == "attention":
        inner = np.tanh(
            outputs @ tensors[f"{prefix}attention.weight"].T + tensors[f"{prefix}attention.bias"]
        )
        scores = inner @ tensors[f"{prefix}attention.choice"]
        text = np.repeat(np.arange(len(filled)), sizes[filled])
        weights = np.exp(scores - np.maximum.reduceat(scores, begins)[text])
        weights /= np.add.reduceat(weights, begins)[text]
        result[filled] = np.add.reduceat(outputs * weights[:, None], begins, axis=0)
    else:
        highest, total = _max_and_sum(outputs, begins, sizes[filled])
        parts = {"max": highest, "mean": total / sizes[filled, None].astype(np.float32)}
        result[filled] = np.concatenate([parts[name] for name in pooling.split("+")], axis=1)
    return result


def _max_and_sum(
    outputs: Float32, begins: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[Float32, Float32]:
    """Return the highest outputs of each text and their sums, step by step, the longest first.

    `reduceat` does the same at a third of the speed.
    """
    order = np.argsort(-sizes, kind="stable")
    starts = begins[order]
    highest: Float32 = outputs[starts]
    total = highest.copy()
    lasting = np.searchsorted(-sizes[order], -np.arange(1, sizes.max()), side="left")
    for step, number in enumerate(lasting.tolist(), 1):
        now = outputs[starts[:number] + step]
        np.maximum(highest[:number], now, out=highest[:number])
        np.add(total[:number], now, out=total[:number])
    back = np.argsort(order)
    return highest[back], total[back]
