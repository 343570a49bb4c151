"""Skip-gram and CBOW on a GPU with PyTorch: batches of centres, all their pairs in two products.

What a pair does is what `kernels` does; but the pairs of a batch all read the rows as they were
before it, and their changes are added up. So a batch is kept so small that no word is its centre
more than a few times: sums of many stale changes to one row diverge.

This is the way where the kernels of our own (`cuda_programs`) cannot run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from charlm.vectors.cuda_matrices import CudaTrainer
from charlm.vectors.sampling import keep_chances
from charlm.vectors.training import Settings, WordStream

MOST_CENTERS, LEAST_CENTERS = 1_024, 16
MOST_AS_CENTER = 12  # times that the most frequent word is a batch's centre, on average
MOST_CHANGE = 2.0  # pairs times rate that one row may take in from one batch
TELL_EVERY = 16  # batches between two that the loss is taken of


class BatchTrainer(CudaTrainer):
    """A trainer by batches of centres; see `CudaTrainer`."""

    def __init__(self, stream: WordStream, settings: Settings, device: torch.device) -> None:
        super().__init__(stream, settings, device)
        self._keep_chance = self.on(keep_chances(stream.counts, settings.subsample))
        self._cut_chance = self.on(self._cuts.astype(np.float64) / 2.0**32)
        self._other = self.on(self._others.astype(np.int64))
        self.centers = centers_of_a_batch(stream.counts, settings.subsample)

    def _call(
        self, words: npt.NDArray[np.int32], piece: int, told: npt.NDArray[np.float64]
    ) -> None:
        random = self.random(piece)
        kept = self._thin_out(self.on(words.astype(np.int64)), random)
        if not len(kept):
            return
        texts = (kept < 0).cumsum(0)
        losses = torch.zeros(2, dtype=torch.float64, device=self.device)
        first, last = self.rate(piece), self.rate(piece + 1)
        for number, start in enumerate(range(0, len(kept), self.centers)):
            places = torch.arange(start, min(start + self.centers, len(kept)), device=self.device)
            rates = first + (last - first) / len(kept) * places
            tell = losses if number % TELL_EVERY == 0 else None
            self._batch(kept, texts, places, rates.float(), random, tell)
        told += losses.cpu().numpy()

    def _thin_out(self, words: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Return the words that subsampling keeps, and -1 between texts."""
        drawn = self._drawn(len(words), random)
        return words[(words < 0) | (drawn < self._keep_chance[words.clamp(min=0)])]

    def _drawn(self, shape: int | tuple[int, ...], random: torch.Generator) -> torch.Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float64, device=self.device)

    def _batch(
        self,
        kept: torch.Tensor,
        texts: torch.Tensor,
        places: torch.Tensor,
        rates: torch.Tensor,
        random: torch.Generator,
        tell: torch.Tensor | None,
    ) -> None:
        """Train the words around the centres at `places`."""
        near, is_near = self._near(kept, texts, places, random)
        outs, is_out = self._outs(kept[places], random)
        rows, others = self.w[near], self.c[outs]  # (L, 2 window, D), (L, negatives + 1, D)
        shares = None
        if self.settings.method == "cbow":
            shares = is_near.to(rows.dtype) / is_near.sum(1, keepdim=True).clamp(min=1)
            rows = torch.einsum("lnd,ln->ld", rows, shares)[:, None]
            is_near = is_near.any(1, keepdim=True)
        logits = rows @ others.mT
        used = is_near[:, :, None] & is_out[:, None, :]
        labels = torch.zeros_like(logits)
        labels[:, :, 0] = 1.0
        pull = (labels - logits.sigmoid()) * used * rates[:, None, None]
        changes = pull @ others
        if shares is not None:
            changes = changes * shares[:, :, None]
        per_out = is_near.sum(1, keepdim=True) * is_out
        per_input = (shares if shares is not None else is_near) * is_out.sum(1, keepdim=True)
        _add(self.c, outs, pull.mT @ rows, per_out * rates[:, None])
        _add(self.w, near, changes, per_input * rates[:, None])
        if tell is not None:
            loss = torch.nn.functional.softplus(logits * (1 - 2 * labels)) * used
            tell += torch.stack([loss.sum(), is_near.sum()]).double()

    def _near(
        self,
        kept: torch.Tensor,
        texts: torch.Tensor,
        places: torch.Tensor,
        random: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the words around each centre, and which of them a window drawn anew holds."""
        window = self.settings.window
        steps = torch.arange(1, window + 1, device=self.device)
        steps = torch.cat([-steps, steps])
        reach = 1 + (self._drawn(len(places), random) * window).long()
        where = places[:, None] + steps
        inside = (where >= 0) & (where < len(kept)) & (steps.abs() <= reach[:, None])
        where = where.clamp(0, len(kept) - 1)
        words = kept[where]
        inside &= (words >= 0) & (kept[places] >= 0)[:, None]
        inside &= texts[where] == texts[places][:, None]
        return words.clamp(min=0), inside

    def _outs(
        self, centers: torch.Tensor, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each centre and its negatives; a negative that is the centre does not count."""
        shape = (len(centers), self.settings.num_negatives)
        size = len(self._other)
        drawn = (self._drawn(shape, random) * size).long().clamp(max=size - 1)
        itself = self._drawn(shape, random) < self._cut_chance[drawn]
        negatives = torch.where(itself, drawn, self._other[drawn])
        centers = centers.clamp(min=0)[:, None]
        counts = torch.cat([torch.ones_like(centers, dtype=torch.bool), negatives != centers], 1)
        return torch.cat([centers, negatives], 1), counts


def _add(
    matrix: torch.Tensor, rows: torch.Tensor, changes: torch.Tensor, weights: torch.Tensor
) -> None:
    """Add changes to rows, those to one row made less where they are too many to be added up."""
    rows, changes, weights = rows.flatten(), changes.flatten(0, 1), weights.flatten()
    sums = torch.zeros(len(matrix), dtype=weights.dtype, device=matrix.device)
    sums.index_add_(0, rows, weights)
    scale = (MOST_CHANGE / sums[rows]).clamp(max=1.0)
    matrix.index_add_(0, rows, changes * scale[:, None].to(changes.dtype))


def centers_of_a_batch(counts: npt.NDArray[np.int64], subsample: float) -> int:
    """Return how many centres a batch has: fewer where one word is a large part of the text.

    Example:
        >>> centers_of_a_batch(np.array([100, 100, 50, 50]), 0.0)
        36
    """
    kept = counts * keep_chances(counts, subsample)
    most = MOST_AS_CENTER * float(kept.sum() / kept.max())
    return int(min(MOST_CENTERS, max(LEAST_CENTERS, most)))
