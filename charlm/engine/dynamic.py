"""Dynamic evaluation: a model that goes on learning from the text that it is measured on.

A text is read in short segments. Each is scored first and learnt from afterwards, so that no token
is predicted by weights that have seen it. Learning is scaled by how large each weight's gradients
usually are, and the weights are drawn back to the trained ones, the more so the larger those
gradients:

    w ← w − rate · g / (s + S) + min(decay · s / S, 1) · (w_trained − w)

with g the segment's summed gradient, s the root of its mean square (`GradientSizes`), and S that of
the whole tensor, so that weights which are rarely in use take no larger steps than the others.

Source:
    Krause, Kahembwe, Murray and Renals (2018), Dynamic evaluation of neural sequence models,
    arXiv:1709.07432, the RMS form with decay; S stands in for its constant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.config import LanguageModelConfig
from charlm.engine.gradients import Weights, backward, forward, zero_state

IdArray = npt.NDArray[np.integer[Any]]
Flat = npt.NDArray[np.float32]

# Numbers updated at once: what an update reads of them stays in the cache.
BLOCK = 1 << 15
# A gradient this many times its usual size counts as that: no one segment may wreck the weights.
MOST_SIZES = 10.0
EMBEDDING = "embedding.weight"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DynamicSettings:
    """How fast the weights follow the text, and how fast they come back."""

    rate: float = 5e-4
    decay: float = 2e-3
    segment: int = 20


class GradientSizes:
    """The root of the mean square of each weight's gradient over the segments of a text.

    An embedding that is read alone has one size for all rows that a segment meets: most are rare.
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        weights: Mapping[str, Any],
        ids: IdArray,
        *,
        segment: int,
    ) -> None:
        sums: Weights = {}
        count = 0
        for tape, targets in _segments(config, weights, ids, segment):
            count += 1
            for name, gradient in backward(config, weights, tape, targets).items():
                square = gradient * gradient
                if name == EMBEDDING and not config.tie_weights:
                    square = np.array(square.mean())
                sums[name] = sums[name] + square if name in sums else square
        self.roots = {name: np.sqrt(square / max(count, 1)) for name, square in sums.items()}


def _segments(
    config: LanguageModelConfig, weights: Mapping[str, Any], ids: IdArray, segment: int
) -> Iterator[tuple[Any, IdArray]]:
    """Yield the tape and the targets of each segment, read with the weights as they are by then."""
    inputs = np.concatenate([[config.bos_id], ids[:-1]])
    state = zero_state(config)
    for start in range(0, len(ids), segment):
        tape = forward(config, weights, inputs[start : start + segment], state)
        state = tape.state
        yield tape, ids[start : start + segment]


class _Learner:
    """A tensor that learns: flat views of it, its trained values and its two rates."""

    def __init__(self, weight: Any, root: Any, settings: DynamicSettings) -> None:
        self.weight: Flat = weight.reshape(-1)
        self.trained = self.weight.copy()
        sizes = np.broadcast_to(root, weight.shape).reshape(-1)
        whole = max(float(np.sqrt(np.mean(sizes * sizes))), 1e-30)
        self.steps = np.asarray(settings.rate / (sizes + whole), dtype=np.float32)
        self.most = MOST_SIZES * settings.rate
        self.pulls = np.minimum(settings.decay * sizes / whole, 1.0).astype(np.float32)

    def update(self, gradient: Any) -> None:
        flat = gradient.reshape(-1)
        for start in range(0, len(flat), BLOCK):
            part = slice(start, start + BLOCK)
            weight, change = self.weight[part], flat[part]
            back = self.trained[part] - weight
            back *= self.pulls[part]
            change *= self.steps[part]
            np.clip(change, -self.most, self.most, out=change)
            back -= change
            weight += back


class _RowLearner:
    """An embedding of which each segment meets a few rows; the others fall back unseen."""

    def __init__(self, weight: Any, root: Any, settings: DynamicSettings) -> None:
        self.weight, self.trained = weight, weight.copy()
        self.step = settings.rate / max(2.0 * float(root), 1e-30)
        self.most = MOST_SIZES * settings.rate
        self.keep = 1.0 - min(settings.decay, 1.0)
        self.met = np.zeros(len(weight), dtype=np.int64)  # after how many updates last
        self.updates = 0

    def catch_up(self, ids: IdArray) -> None:
        """Draw rows back by what they missed since they were met."""
        rows = np.unique(ids)
        share = self.keep ** (self.updates - self.met[rows])
        trained = self.trained[rows]
        self.weight[rows] = trained + share[:, None].astype(np.float32) * (
            self.weight[rows] - trained
        )
        self.met[rows] = self.updates

    def update(self, ids: IdArray, gradient: Any) -> None:
        self.updates += 1
        self.catch_up(ids)
        change = np.clip(np.float32(self.step) * gradient, -self.most, self.most)
        np.subtract.at(self.weight, ids, change)


def dynamic_scores(
    config: LanguageModelConfig,
    tensors: Mapping[str, npt.NDArray[np.float32]],
    ids: IdArray,
    sizes: GradientSizes,
    settings: DynamicSettings,
    *,
    on_tokens: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Return log p of each token of a text (time,), by weights that learnt from those before it.

    Args:
        tensors: of the trained model; they stay as they are.
        sizes: of gradients, from another text than this.
        on_tokens: told now and then how many tokens are done.
    """
    weights = {name: np.array(tensor, dtype=np.float32) for name, tensor in tensors.items()}
    learners: dict[str, Any] = {
        name: _RowLearner(weights[name], root, settings)
        if name == EMBEDDING and not config.tie_weights
        else _Learner(weights[name], root, settings)
        for name, root in sizes.roots.items()
    }
    rows = learners.get(EMBEDDING)
    rows = rows if isinstance(rows, _RowLearner) else None
    scores = np.empty(len(ids))
    inputs = np.concatenate([[config.bos_id], ids[:-1]])
    state = zero_state(config)
    for start in range(0, len(ids), settings.segment):
        part = slice(start, start + settings.segment)
        targets = ids[part]
        if rows is not None:
            rows.catch_up(inputs[part])
        tape = forward(config, weights, inputs[part], state)
        state = tape.state
        scores[part] = tape.log_probs[np.arange(len(targets)), targets]
        for name, gradient in backward(config, weights, tape, targets).items():
            if name == EMBEDDING and rows is not None:
                rows.update(inputs[part], gradient)
            else:
                learners[name].update(gradient)
        if on_tokens is not None:
            on_tokens(start + len(targets))
    return scores
