"""Dynamic evaluation on a device: what `engine.dynamic` does, each segment's update in one go.

On a GPU a segment is one CUDA graph: read, scored, learnt from, the state carried, with nothing
known to the host before the end of the text. It computes on any device, which is how it is tested.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.engine.dynamic import EMBEDDING, MOST_SIZES, DynamicSettings
from charlm.models.decode_step import products
from charlm.models.language_model import LanguageModel
from charlm.models.layers import RecurrentLayer, State

logger = logging.getLogger(__name__)

IdArray = npt.NDArray[np.integer[Any]]
Sizes = dict[str, Tensor]
_WARM_UP = 3  # segments before a graph is captured: libraries make themselves ready


class SegmentReader:
    """A model that reads segments of a text one after the other, and their gradients.

    Args:
        config: the shape of the model.
        tensors: float32, by the names of `config.tensor_shapes()`; they stay as they are.
        device: where to compute.
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        tensors: Mapping[str, npt.NDArray[np.float32]],
        device: torch.device,
    ) -> None:
        self.config, self.device = config, device
        self.model = LanguageModel(config)
        self.model.load_state_dict({n: torch.from_numpy(t.copy()) for n, t in tensors.items()})
        self.model.use(torch.float32, backend="native")
        self.model.to(device).train()  # cuDNN differentiates layers in training only
        self.weights: dict[str, Tensor] = dict(self.model.named_parameters())
        self.by_row = not config.tie_weights  # the embedding learns row by row
        self.state: list[State] = self.model.initial_state(1)

    def begin(self) -> None:
        """Go back to the state before anything was read."""
        for layer in self.state:
            for part in layer:
                part.zero_()

    def read(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Read a segment, carry the state, and return log p of its targets and the gradients.

        Shapes:
            inputs, targets: (T,). returns: (T,), and of the summed negative log p by each tensor;
            that by an embedding that learns row by row is by what each input gave, (T, E).
        """
        names = [name for name in self.weights if not (self.by_row and name == EMBEDDING)]
        weights = [self.weights[name] for name in names]
        embedded = F.embedding(inputs[:, None], self.weights[EMBEDDING])
        if self.by_row:
            embedded = embedded.detach().requires_grad_()
            names, weights = [*names, EMBEDDING], [*weights, embedded]
        with products("float32"):
            log_probs, after = self._log_probs(embedded, targets)
            gradients = torch.autograd.grad(-log_probs.sum(), weights)
        for old, new in zip(self.state, after, strict=True):
            for part, carried in zip(old, new, strict=True):
                part.copy_(carried.detach())
        found = dict(zip(names, gradients, strict=True))
        if self.by_row:
            found[EMBEDDING] = found[EMBEDDING][:, 0]
        return log_probs.detach(), found

    def _log_probs(self, embedded: Tensor, targets: Tensor) -> tuple[Tensor, list[State]]:
        x, outputs, after = embedded, [], []
        for index, layer in enumerate(self.model.layers):
            assert isinstance(layer, RecurrentLayer)
            if index and self.config.skip:
                x = torch.cat([x, embedded], dim=-1)
            x, state = layer(x, self.state[index], layer.weight_hh, "native")
            outputs.append(x)
            after.append(state)
        features = torch.cat(outputs, dim=-1) if self.config.skip else x
        if self.config.has_projection:
            features = F.linear(features, self.weights["projection.weight"])
        tied = self.weights[EMBEDDING][: self.config.vocab_size]
        output = tied if self.config.tie_weights else self.weights["output.weight"]
        logits = F.linear(features[:, 0], output, self.weights["output.bias"])
        return -F.cross_entropy(logits, targets, reduction="none"), after


class _Segments:
    """A text cut into segments: whole ones by one captured step, the rest by itself."""

    def __init__(self, reader: SegmentReader, ids: IdArray, segment: int) -> None:
        inputs = np.concatenate([[reader.config.bos_id], ids[:-1]]).astype(np.int64)
        self.inputs = torch.from_numpy(inputs).to(reader.device)
        self.targets = torch.from_numpy(np.array(ids, dtype=np.int64)).to(reader.device)
        self.segment, self.device = segment, reader.device

    def each(self, step: Any) -> None:
        """Call `step(inputs, targets, place)` on every segment; `place` is its first token."""
        size, whole = self.segment, len(self.targets) // self.segment
        place = torch.zeros(1, dtype=torch.int64, device=self.device)
        inputs, targets = self.inputs[:size].clone(), self.targets[:size].clone()
        steps = torch.arange(size, device=self.device)

        def one() -> None:
            inputs.copy_(self.inputs[place + steps])
            targets.copy_(self.targets[place + steps])
            step(inputs, targets, place + steps)
            place.add_(size)

        done = 0
        if self.device.type == "cuda" and whole > _WARM_UP:
            done = self._by_graph(one, whole)
        for _ in range(whole - done):
            one()
        rest = slice(whole * size, None)
        if len(self.targets[rest]):
            places = torch.arange(whole * size, len(self.targets), device=self.device)
            step(self.inputs[rest], self.targets[rest], places)

    def _by_graph(self, one: Any, whole: int) -> int:
        """Do the first segments one operation at a time and the others by a graph."""
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                one()
        here = torch.cuda.current_stream(self.device)
        here.wait_stream(side)
        gc.collect()  # what is destroyed while recording could spoil it
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                one()
        except RuntimeError as error:
            torch.cuda.set_stream(here)
            torch.cuda.synchronize(self.device)
            logger.info("dynamic evaluation without a CUDA graph: %s", error)
            return _WARM_UP
        for _ in range(whole - _WARM_UP):
            graph.replay()
        torch.cuda.synchronize(self.device)
        return whole


def gradient_sizes(reader: SegmentReader, ids: IdArray, *, segment: int) -> Sizes:
    """Return the root of the mean square of each weight's gradient over the segments of a text.

    An embedding that learns row by row has one size for all: see `engine.dynamic`.
    """
    sums = {name: torch.zeros_like(weight) for name, weight in reader.weights.items()}
    if reader.by_row:
        sums[EMBEDDING] = torch.zeros((), device=reader.device)

    def step(inputs: Tensor, targets: Tensor, places: Tensor) -> None:
        _, gradients = reader.read(inputs, targets)
        with torch.no_grad():
            for name, gradient in gradients.items():
                square = gradient * gradient
                by_row = reader.by_row and name == EMBEDDING
                sums[name] += square.mean() if by_row else square

    reader.begin()
    _Segments(reader, ids, segment).each(step)
    count = -(-len(ids) // segment)
    return {name: (total / count).sqrt() for name, total in sums.items()}


class _Learner:
    """The weights of a reader that learn, what they were, and their rates."""

    def __init__(self, reader: SegmentReader, sizes: Sizes, settings: DynamicSettings) -> None:
        self.reader = reader
        self.trained = {name: weight.detach().clone() for name, weight in reader.weights.items()}
        self.most = MOST_SIZES * settings.rate
        self.steps: dict[str, Tensor] = {}
        self.pulls: dict[str, Tensor] = {}
        for name, root in sizes.items():
            if reader.by_row and name == EMBEDDING:
                self.steps[name] = settings.rate / (2.0 * root).clamp(min=1e-30)
                self.pulls[name] = torch.full_like(root, min(settings.decay, 1.0))
                continue
            whole = root.double().square().mean().sqrt().clamp(min=1e-30).float()
            self.steps[name] = settings.rate / (root + whole)
            self.pulls[name] = (settings.decay * root / whole).clamp(max=1.0)

    @torch.no_grad()
    def update(self, inputs: Tensor, gradients: dict[str, Tensor]) -> None:
        """Move all weights on by what a segment taught."""
        for name, weight in self.reader.weights.items():
            change = (gradients[name] * self.steps[name]).clamp(-self.most, self.most)
            weight.add_(self.pulls[name] * (self.trained[name] - weight))
            if self.reader.by_row and name == EMBEDDING:
                weight.index_add_(0, inputs, change, alpha=-1.0)
            else:
                weight.sub_(change)

    @torch.no_grad()
    def forget(self) -> None:
        """Bring the weights back to what was trained."""
        for name, weight in self.reader.weights.items():
            weight.copy_(self.trained[name])


def dynamic_scores(
    reader: SegmentReader, ids: IdArray, sizes: Sizes, settings: DynamicSettings
) -> npt.NDArray[np.float64]:
    """Return log p of each token of a text (time,), by weights that learnt from those before it.

    The reader's weights are in the end what they were.

    Args:
        sizes: of gradients, from another text than this, by the same reader.
    """
    learner = _Learner(reader, sizes, settings)
    scores = torch.zeros(len(ids), dtype=torch.float64, device=reader.device)

    def step(inputs: Tensor, targets: Tensor, places: Tensor) -> None:
        log_probs, gradients = reader.read(inputs, targets)
        scores.index_copy_(0, places, log_probs.double())
        learner.update(inputs, gradients)

    reader.begin()
    _Segments(reader, ids, settings.segment).each(step)
    learner.forget()
    return np.asarray(scores.cpu().numpy())
