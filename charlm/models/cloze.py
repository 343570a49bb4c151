"""A word from the words on either side of it: a forward and a backward LSTM, and what both say.

What reads from the left has a word's neighbours before it, what reads from the right those behind
it; a small layer over both gives a vector that is compared with those of words.

Source:
    Melamud, Goldberger and Dagan (2016), context2vec: learning generic context embedding with
    bidirectional LSTM.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.models.layers import RecurrentLayer, rows_can

_SPREAD, _STRENGTH = 0.05, 8.0
_NEVER = -1e4
_TOGETHER = 512  # gaps whose scores are held at once, so that they fit the cache


class Cloze(nn.Module):
    """Scores of words in a gap. The words' vectors and biases are kept by who trains, in rows."""

    def __init__(self, dim: int, hidden: int, inner: int) -> None:
        super().__init__()
        self.ahead = RecurrentLayer("lstm", dim, hidden)
        self.back = RecurrentLayer("lstm", dim, hidden)
        self.inner = nn.Linear(2 * hidden, inner)
        self.outer = nn.Linear(inner, dim)
        self.dtype = torch.float32

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights."""
        for layer in (self.ahead, self.back):
            layer.initialise(generator, 1.0)
            layer.weight_ih.data *= _STRENGTH / (_SPREAD * layer.weight_ih.shape[1] ** 0.5)
        for linear in (self.inner, self.outer):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)

    def contexts(self, rows: Tensor, places: Tensor) -> Tensor:
        """Return the vector of each gap of windows.

        Shapes:
            rows: (R, dim), vectors of words; places: (T, B), which of them stand in the windows.
            returns: (T, B, dim).
        """
        rows = rows.to(self.dtype)
        left = self._states(self.ahead, rows, places)
        right = self._states(self.back, rows, places.flip(0)).flip(0)
        inner = torch.relu(self._linear(self.inner, torch.cat([left, right], dim=-1)))
        return self._linear(self.outer, inner)

    def _states(self, layer: RecurrentLayer, rows: Tensor, places: Tensor) -> Tensor:
        """Return the state before each step, the first of which is zero."""
        weight = layer.weight_hh.to(self.dtype)
        backend = "rows" if rows_can("lstm", weight) else "products"
        state = layer.zero_state(places.shape[1])
        states, _ = layer(rows, state, weight, backend, places[:-1].contiguous())
        return torch.cat([states.new_zeros(1, *states.shape[1:]), states])

    def _linear(self, linear: nn.Linear, inputs: Tensor) -> Tensor:
        return F.linear(inputs, linear.weight.to(self.dtype), linear.bias.to(self.dtype))


def word_vectors(vocab_size: int, dim: int, generator: torch.Generator) -> Tensor:
    """Return the vectors that words begin with."""
    return torch.empty(vocab_size, dim).normal_(0.0, _SPREAD, generator=generator)


class _Choice(torch.autograd.Function):
    """The loss and its gradients in one go, some gaps at a time."""

    @staticmethod
    def forward(
        ctx: Any, gaps: Tensor, rows: Tensor, bias: Tensor, wanted: Tensor, drawn: Tensor
    ) -> Any:
        table = rows[drawn].to(gaps.dtype)
        turned = table.t().contiguous()
        grad_gaps, grad_rows = torch.empty_like(gaps), torch.zeros_like(rows)
        grad_bias, grad_table = torch.zeros_like(bias), torch.zeros_like(table, dtype=rows.dtype)
        grad_drawn = bias.new_zeros(len(drawn))
        loss, drawn_bias, count = bias.new_zeros(()), bias[drawn], len(gaps)
        for start in range(0, count, _TOGETHER):
            part = slice(start, start + _TOGETHER)
            gap, own = gaps[part], wanted[part]
            vectors = rows[own]
            scores = torch.mm(gap, turned).to(bias.dtype).add_(drawn_bias)
            scores.masked_fill_(own[:, None] == drawn, _NEVER)
            score = (gap * vectors).sum(1) + bias[own]
            most = torch.maximum(scores.amax(1), score)
            scores.sub_(most[:, None]).exp_()
            right = (score - most).exp_()
            total = scores.sum(1) + right
            loss += (total.log() + most - score).sum()
            scores.div_(total[:, None] * count)
            right = (right / total - 1.0) / count
            share = scores.to(gap.dtype)
            grad_gaps[part] = torch.mm(share, table) + (right[:, None] * vectors).to(gap.dtype)
            grad_table += torch.mm(share.t(), gap)
            grad_drawn += scores.sum(0)
            grad_rows.index_add_(0, own, right[:, None] * gap)
            grad_bias.index_add_(0, own, right)
        grad_rows.index_add_(0, drawn, grad_table)
        grad_bias.index_add_(0, drawn, grad_drawn)
        ctx.save_for_backward(grad_gaps, grad_rows, grad_bias)
        return loss / count

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        gaps, rows, bias = ctx.saved_tensors
        return gaps * grad.to(gaps.dtype), rows * grad, bias * grad, None, None


def choice_loss(gaps: Tensor, rows: Tensor, bias: Tensor, wanted: Tensor, drawn: Tensor) -> Tensor:
    """Return the mean loss of choosing each gap's word among itself and others that were drawn.

    Shapes:
        gaps: (N, dim); rows: (R, dim) and bias: (R,), of words, the logarithm of how often each
        is expected among those drawn taken off the bias; wanted: (N,) and drawn: (K,) of the rows.

    Source:
        Bengio and Senécal (2008), adaptive importance sampling (sampled softmax).
    """
    loss: Tensor = _Choice.apply(gaps, rows, bias, wanted, drawn)  # type: ignore[no-untyped-call]
    return loss
