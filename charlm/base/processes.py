"""Which of several processes this one is, as `torchrun` says in the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from charlm.base.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One process of several that train one model together.

    Attributes:
        rank: its number, from 0; the first one leads.
        size: how many there are.
        local_rank: its number among those of its machine.
        local_size: how many its machine has.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def leads(self) -> bool:
        """Whether this is the one that reads the command line, writes and speaks."""
        return self.rank == 0


def find_place(environment: Mapping[str, str] | None = None) -> Place | None:
    """Return this process's place, or None where it is alone.

    Raises:
        ConfigError: if the variables contradict each other.

    Example:
        >>> find_place({"RANK": "1", "WORLD_SIZE": "2"})
        Place(rank=1, size=2, local_rank=1, local_size=2)
        >>> find_place({"WORLD_SIZE": "1"}) is None
        True
    """
    found = os.environ if environment is None else environment
    size = _number(found, "WORLD_SIZE", 1)
    if size <= 1 or "RANK" not in found:
        return None
    rank = _number(found, "RANK", 0)
    local_size = _number(found, "LOCAL_WORLD_SIZE", size)
    local_rank = _number(found, "LOCAL_RANK", rank)
    if not (0 <= rank < size and 0 <= local_rank < local_size <= size):
        raise ConfigError(
            f"RANK {rank}, WORLD_SIZE {size}, LOCAL_RANK {local_rank} and LOCAL_WORLD_SIZE "
            f"{local_size} contradict each other; start the processes with torchrun"
        )
    return Place(rank, size, local_rank, local_size)


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not (text.isdecimal() and len(text) < 10):
        raise ConfigError(f"the variable {name} must be a whole number, got {text[:40]!r}")
    return int(text)
