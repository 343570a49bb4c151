"""Skip-gram and CBOW on a GPU by kernels of our own: a few hundred programs walk through a piece.

PyTorch thins the piece out and finds where its texts end; one launch then trains on all of it.
Nothing waits for the GPU but the loss of a piece, which is fetched while the next one is trained.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from charlm.vectors.cuda_matrices import CudaTrainer, fetch_later
from charlm.vectors.sampling import keep_chances, negative_chances
from charlm.vectors.training import Progress, Settings, WordStream

PROGRAMS_A_PROCESSOR = 4  # one a scheduler
MOST_PULL = 6.0  # what one row may be given, outputs times rate, while one program trains a centre
MOST_NUMBERS = 1 << 15  # in the outputs' rows of one centre, which lie in registers
MOST_HELD = 1 << 30  # bytes of the text that stay on the GPU from epoch to epoch, at most
_A_WARP = 1 << 10  # numbers that 32 lanes hold in registers, twice
_MIXER = 0x9E3779B97F4A7C15


class Thinned(NamedTuple):
    """A piece of text without the words that subsampling left out.

    Shapes:
        kept: (N,) ids, -1 where a text ends; places from `size` on mean nothing.
        starts, ends: (N,) the first place of the text that a place is in, and that behind its last.
        size: (1,) how many places there are.
    """

    kept: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor
    size: torch.Tensor


class ProgramTrainer(CudaTrainer):
    """A trainer by the kernels of `cuda_kernels`; see `CudaTrainer`.

    Attributes:
        programs: how many parts of a piece are trained at a time. What one reads, others are
            changing: it is kept so small that this does no harm.
    """

    def __init__(self, stream: WordStream, settings: Settings, device: torch.device) -> None:
        super().__init__(stream, settings, device)
        self._keep_chance = self.on(keep_chances(stream.counts, settings.subsample))
        self._alias = self.on(self._cuts.view(np.int32)), self.on(self._others)
        self.programs = min(
            programs_in_step(stream.counts, settings), PROGRAMS_A_PROCESSOR * _processors(device)
        )
        self._held: dict[int, tuple[int, torch.Tensor]] = {}
        self._held_bytes, self._room = 0, _room_for_text(device)

    @staticmethod
    def has_room_for(settings: Settings) -> bool:
        """Return whether a program's registers hold the outputs of a centre."""
        return _power_above(settings.num_negatives + 1) * _power_above(settings.dim) <= MOST_NUMBERS

    def prepare(self) -> None:
        """Compile the kernel, or load what was compiled before; changes nothing."""
        self._launch(self.on(np.empty(0, dtype=np.int32)), self.done).tolist()

    def run(self, threads: int) -> Iterator[Progress]:
        """Train on the pieces that are left; the number of threads has no meaning here."""
        under_way: deque[tuple[int, Callable[[], list[float]]]] = deque()
        for piece in self.left():
            count, words = self._words(piece % self.stream.pieces)
            under_way.append((count, fetch_later(self._launch(words, piece))))
            if len(under_way) > 1:
                yield self._finish(*under_way.popleft())
        while under_way:
            yield self._finish(*under_way.popleft())

    def _finish(self, words: int, fetch: Callable[[], list[float]]) -> Progress:
        loss, pairs = fetch()
        return self._note(words, loss, pairs)

    def _words(self, place: int) -> tuple[int, torch.Tensor]:
        """Return how many words a piece of the text has, and the piece on the device."""
        if place in self._held:
            return self._held[place]
        start = place * self.stream.piece
        words = self.stream.read(start, min(start + self.stream.piece, self.stream.tokens))
        found = int(np.count_nonzero(words >= 0)), self.on(words)
        if self._held_bytes + words.nbytes <= self._room:
            self._held[place] = found
            self._held_bytes += words.nbytes
        return found

    def _launch(self, words: torch.Tensor, piece: int) -> torch.Tensor:
        """Begin to train on words; return sum and number of the sampled losses to come."""
        from charlm.vectors import cuda_kernels

        settings, stride = self.settings, self.w.shape[1]
        columns, slots = _power_above(stride), _power_above(settings.num_negatives + 1)
        told = torch.zeros(self.programs, 2, device=self.device)
        kernel = cuda_kernels.cbow if settings.method == "cbow" else cuda_kernels.skipgram
        kernel[(self.programs,)](
            *thin_out(words, self._keep_chance, self.random(piece)),
            self.w,
            self.c,
            *self._alias,
            told,
            len(self._others),
            settings.window,
            self.rate(piece),
            self.rate(piece + 1),
            seed_of(settings.seed, piece),
            stride=stride,
            num_columns=columns,
            num_outs=settings.num_negatives + 1,
            num_slots=slots,
            num_warps=min(max(slots * columns // _A_WARP, 1), 16),
        )
        return told.double().sum(0)


def thin_out(words: torch.Tensor, keep_chance: torch.Tensor, random: torch.Generator) -> Thinned:
    """Return the words that subsampling keeps, and where their texts begin and end.

    Example:
        >>> words = torch.tensor([3, 5, -1, 4], dtype=torch.int32)
        >>> thin_out(words, torch.ones(6), torch.Generator()).ends
        tensor([2, 2, 2, 4, 4], dtype=torch.int32)
    """
    device, size = words.device, len(words)
    drawn = torch.rand(size, generator=random, dtype=keep_chance.dtype, device=device)
    stays = (words < 0) | (drawn < keep_chance[words.clamp(min=0)])
    # those left out all go to the place behind the last
    to = torch.where(stays, stays.cumsum(0) - 1, size)
    kept = torch.full((size + 1,), -1, dtype=torch.int32, device=device).scatter_(0, to, words)
    count = stays.sum(0, keepdim=True)
    places = torch.arange(size + 1, device=device)
    is_end = (kept < 0) | (places >= count)
    starts = torch.where(is_end, places + 1, 0).cummax(0).values
    ends = torch.where(is_end, places, size).flip(0).cummin(0).values.flip(0)
    return Thinned(kept, starts.int(), ends.int(), count.int())


def programs_in_step(counts: npt.NDArray[np.int64], settings: Settings) -> int:
    """Return how many programs may read a row before each of them has changed it.

    As many as give no word more than `MOST_PULL`, if each trains one centre.

    Example:
        >>> settings = Settings(method="sgns", dim=100, window=5, num_negatives=5, subsample=0,
        ...     ns_exponent=0.75, epochs=1, learning_rate=0.025, seed=0)
        >>> programs_in_step(np.array([20, 980]), settings), programs_in_step(np.ones(90), settings)
        (6, 599)
    """
    kept = counts * keep_chances(counts, settings.subsample)
    shares, negatives = kept / kept.sum(), negative_chances(counts, settings.ns_exponent)
    as_input = shares * (settings.num_negatives + 1)
    as_output = shares + negatives * settings.num_negatives
    near = 1 if settings.method == "cbow" else settings.window + 1
    pull = float(np.maximum(as_input, as_output).max()) * near * settings.learning_rate
    return max(1, int(MOST_PULL / pull))


def seed_of(seed: int, piece: int) -> int:
    """Return the seed of a piece's random numbers: always above 32 bits, as one type of number.

    Example:
        >>> seed_of(0, 0) == 2**62, seed_of(1, 0) == seed_of(0, 1)
        (True, False)
    """
    mixed: int = (seed * _MIXER + piece * 0xD1B54A32D192ED03) % 2**64
    return (mixed >> 2) | 1 << 62


def _power_above(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 1
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def _room_for_text(device: torch.device) -> int:
    """Return how many bytes of the text may stay on the device: no more than a quarter of it."""
    if device.type != "cuda":
        return MOST_HELD
    return min(MOST_HELD, torch.cuda.mem_get_info(device)[0] // 4)
