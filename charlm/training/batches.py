"""Windows for truncated back-propagation through time over parallel streams of one text."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.text.token_files import release

# Mapped ids that readers have walked over stay in memory until so many tokens were read.
RELEASE_TOKENS = 1 << 24
Ids = npt.NDArray[np.integer[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """One step's tokens. Shapes: inputs, targets (B, T); restarted (B,), rows that begin anew."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    restarted: npt.NDArray[np.bool_]


class Streams:
    """`batch_size` readers that walk through a text in turn, each with a state of its own.

    The readers start evenly spaced, so that one round of all of them is one epoch, and go on from
    the end at the beginning. Now and then (`restart_probability` a window) a reader jumps to the
    next line start and begins there as at the beginning of a text: from the zero state and the
    bos row. Without that a model never learns to start: its state after a thousand windows is
    unlike any that it meets when it is used.

    Args:
        ids: the text, any integer type, memory-mapped or not. Of a mapped one only what was read
            of late is held in memory.
        ends_line: (vocab,) whether a token ends a line.

    Attributes:
        rows: which readers' windows are returned; one of several processes reads some of them,
            and moves all of them on.
    """

    def __init__(
        self,
        ids: Ids,
        ends_line: npt.NDArray[np.bool_],
        *,
        bos_id: int,
        batch_size: int,
        bptt: int,
        restart_probability: float,
        rng: np.random.Generator,
    ) -> None:
        self.ids, self.ends_line, self.bos_id = ids, ends_line, bos_id
        self.bptt, self.restart_probability, self.rng = bptt, restart_probability, rng
        self.cursors = np.arange(batch_size, dtype=np.int64) * len(ids) // batch_size
        self.fresh = np.ones(batch_size, dtype=bool)
        self.rows = slice(None)
        self._read = 0  # since pages of a mapped text were let go

    def next_window(self) -> Window:
        """Return the next window and move every reader on."""
        cursors, restarted = self.advance()
        places = cursors[:, None] + np.arange(-1, self.bptt, dtype=np.int64)
        tokens = np.take(self.ids, places, mode="wrap").astype(np.int64)
        inputs, targets = tokens[:, :-1].copy(), tokens[:, 1:]
        inputs[restarted, 0] = self.bos_id
        return Window(inputs, np.ascontiguousarray(targets), restarted)

    def advance(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return where the next window of each row begins, and which rows begin anew; move on."""
        size = len(self.ids)
        self._read += len(self.cursors) * self.bptt
        if self._read >= RELEASE_TOKENS:
            self._read = 0
            release(self.ids)
        restarted = self.fresh | (self.rng.random(len(self.cursors)) < self.restart_probability)
        for row in np.flatnonzero(restarted & ~self.fresh):
            self.cursors[row] = self._next_line_start(int(self.cursors[row]))
        begun = self.cursors
        self.cursors = begun + self.bptt
        self.fresh = self.cursors >= size
        self.cursors %= size
        return begun[self.rows], restarted[self.rows]

    def _next_line_start(self, cursor: int) -> int:
        """Return the place after the next line end, or `cursor` where none is near."""
        near = self.ids[cursor : cursor + 8 * self.bptt]
        found = np.flatnonzero(self.ends_line[near])
        after = cursor + int(found[0]) + 1 if len(found) else cursor
        return after if after < len(self.ids) else 0

    def state(self) -> dict[str, Any]:
        """Return the place of every reader and the random state, as plain JSON values."""
        return {
            "cursors": self.cursors.tolist(),
            "fresh": self.fresh.tolist(),
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state()` returned.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: if it is no state of so many readers.
        """
        cursors = np.array(state["cursors"], dtype=np.int64)
        fresh = np.array(state["fresh"], dtype=bool)
        if not cursors.shape == fresh.shape == self.cursors.shape:
            raise ValueError(f"{len(self.cursors)} readers are expected, found {cursors.shape}")
        if cursors.min() < 0 or cursors.max() >= len(self.ids):
            raise ValueError("a reader stands outside of the text")
        self.cursors, self.fresh = cursors, fresh
        self.rng.bit_generator.state = state["rng"]
