"""A is to B as C is to what?"""

from __future__ import annotations

from charlm.tasks.neighbors import Answer
from charlm.tasks.vectors_open import OpenSpace, require_rows


def find_analogy(
    opened: OpenSpace, a: str, b: str, c: str, *, method: str = "3cosadd", top_n: int = 10
) -> list[Answer]:
    """Return the words d for which `a` is to `b` as `c` is to d, the best first.

    Raises:
        TaskError: for an unknown word, naming known spellings near to it.
    """
    first, second, third = require_rows(opened.space, [a, b, c])
    found = opened.space.analogy(first, second, third, top_n, method=method)
    query = f"{a} : {b} :: {c} : ?"
    return [Answer(query, one.word, one.similarity) for one in found]
