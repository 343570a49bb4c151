"""The recurrent cells as their textbook equations, one function each.

They are the reference: the torch modules and the fast stack are both tested against them. Gates
lie along the first axis of a weight in the order of `LanguageModelConfig.tensor_shapes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), by way of tanh so that no x overflows.

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
        array([0. , 0.5, 1. ])
    """
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5)


def rnn_step(
    x: FloatArray,
    h: FloatArray,
    weight_ih: FloatArray,
    weight_hh: FloatArray,
    bias: FloatArray,
) -> FloatArray:
    """Return the next hidden state of a tanh RNN, `h_t = tanh(W_i x_t + W_h h_{t-1} + b)`.

    Shapes:
        x: (..., input); h: (..., hidden); weight_ih: (hidden, input);
        weight_hh: (hidden, hidden); bias: (hidden,).
        returns: as `h`.

    Source:
        Elman (1990), Finding structure in time.
    """
    return np.asarray(np.tanh(x @ weight_ih.T + h @ weight_hh.T + bias))


def lstm_step(
    x: FloatArray,
    h: FloatArray,
    c: FloatArray,
    weight_ih: FloatArray,
    weight_hh: FloatArray,
    bias: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the next hidden state and cell of an LSTM with forget gate and no peepholes.

    Shapes:
        x: (..., input); h, c: (..., hidden); weight_ih: (4 hidden, input);
        weight_hh: (4 hidden, hidden); bias: (4 hidden,); gates in the order i, f, g, o.
        returns: h and c, as before.

    Source:
        Hochreiter and Schmidhuber (1997); Gers et al. (2000) for the forget gate.
    """
    gates = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = np.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(
    x: FloatArray,
    h: FloatArray,
    weight_ih: FloatArray,
    weight_hh: FloatArray,
    bias: FloatArray,
    bias_hn: FloatArray | None = None,
    *,
    reset: str = "after",
) -> FloatArray:
    """Return the next hidden state of a GRU, `h_t = z * h_{t-1} + (1 - z) * n`.

    Args:
        bias_hn: the bias inside the reset gate's reach; only with `reset="after"`.
        reset: "after" gates the recurrent product, `n = tanh(W x + b + r * (U h + b_hn))`;
            "before" gates the state, `n = tanh(W x + b + U (r * h))`.

    Shapes:
        x: (..., input); h: (..., hidden); weight_ih: (3 hidden, input);
        weight_hh: (3 hidden, hidden); bias: (3 hidden,); bias_hn: (hidden,);
        gates in the order r, z, n.
        returns: as `h`.

    Raises:
        ValueError: if `reset` is neither, or `bias_hn` does not belong to it.

    Source:
        Cho et al. (2014), arXiv:1406.1078 (before); cuDNN and PyTorch (after).
    """
    if reset not in ("after", "before"):
        raise ValueError(f"reset must be 'after' or 'before', got {reset!r}")
    if (bias_hn is None) == (reset == "after"):
        state = "is missing" if bias_hn is None else "does not belong"
        raise ValueError(f"bias_hn {state} with reset={reset!r}")
    hidden = h.shape[-1]
    inputs = x @ weight_ih.T + bias
    gates = inputs[..., : 2 * hidden] + h @ weight_hh[: 2 * hidden].T
    r, z = np.split(sigmoid(gates), 2, axis=-1)
    weight_hn = weight_hh[2 * hidden :]
    recurrent = r * (h @ weight_hn.T + bias_hn) if bias_hn is not None else (r * h) @ weight_hn.T
    n = np.tanh(inputs[..., 2 * hidden :] + recurrent)
    return np.asarray(z * h + (1.0 - z) * n)
