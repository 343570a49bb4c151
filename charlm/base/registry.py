"""A name -> thing table that knows its names and suggests near ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from charlm.base.errors import ConfigError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one family by name, in the order in which they were registered."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under `name`.

        Raises:
            ValueError: if the name is taken.
        """

        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.family} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def get(self, name: str) -> T:
        """Return what was registered under `name`.

        Raises:
            ConfigError: if nothing was; the message names near misses and all names.
        """
        try:
            return self._items[name]
        except KeyError:
            near = did_you_mean(name, self._items)
            known = ", ".join(self._items)
            raise ConfigError(f"no {self.family} {name!r}{near}; known: {known}") from None

    def names(self) -> list[str]:
        """Return all names in order of registration."""
        return list(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items


def did_you_mean(name: str, known: object) -> str:
    """Return ` (did you mean 'x'?)` for the nearest of the `known` names, or an empty string.

    Example:
        >>> did_you_mean("shakspeare", ["obama", "shakespeare"])
        " (did you mean 'shakespeare'?)"
        >>> did_you_mean("zzz", ["obama"])
        ''
    """
    import difflib

    names = [str(item) for item in known] if hasattr(known, "__iter__") else []
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
