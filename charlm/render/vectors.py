"""What word vectors tell of words: how far they moved, and what they lean to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.render.tables import plural, show_facts, show_table

if TYPE_CHECKING:
    from charlm.tasks.vectors_bias import BiasResult, LeaningWord, ProjectionResult
    from charlm.tasks.vectors_shift import ShiftResult
    from charlm.vectors.space import Neighbor

_SHOWN = 5  # words of a list


def show_shift(result: ShiftResult, old: str, new: str) -> None:
    """Write a table of words, each with its nearest in either space."""
    rows = [
        [
            one.word,
            f"{one.similarity:.4f}",
            f"{one.rank:,}",
            _names(one.old),
            _names(one.new),
        ]
        for one in result.words
    ]
    header = ("word", "similarity", "rank", f"nearest in {old}", f"nearest in {new}")
    if rows:
        show_table(header, rows, right=(1, 2))


def _names(words: Sequence[Neighbor]) -> str:
    return " ".join(one.word for one in words)


def show_bias(result: BiasResult) -> None:
    """Write the figures of an association test, with the words that weigh most on either side."""
    ordered = sorted((*result.targets_a, *result.targets_b), key=lambda one: -one.association)
    how = "all" if result.exact else "drawn from all"
    show_facts(
        [
            ("model", result.model),
            ("targets a", _list([one.word for one in result.targets_a])),
            ("targets b", _list([one.word for one in result.targets_b])),
            ("attributes a", _list(result.attributes_a)),
            ("attributes b", _list(result.attributes_b)),
            ("statistic", f"{result.statistic:.4f}"),
            ("effect size", "-" if result.effect_size is None else f"{result.effect_size:.4f}"),
            (
                "p-value",
                f"{result.p_value:.3g} (one-sided, {result.partitions:,} partitions, {how})",
            ),
            ("nearest to a", _leaning(ordered[:_SHOWN])),
            ("nearest to b", _leaning(ordered[: -_SHOWN - 1 : -1])),
        ]
    )


def _list(words: Sequence[str]) -> str:
    more = ", …" if len(words) > _SHOWN else ""
    return f"{plural(len(words), 'word')}: {', '.join(words[:_SHOWN])}{more}"


def _leaning(words: Sequence[LeaningWord]) -> str:
    return ", ".join(f"{one.word} {one.association:+.3f}" for one in words)


def show_projections(result: ProjectionResult) -> None:
    """Write a table of words, each with the end of the direction that it lies nearer to."""
    first, second = result.direction
    rows = [
        [one.word, f"{shown:+.4f}", _end(shown, first, second)]
        for one, shown in ((one, round(one.projection, 4) + 0.0) for one in result.words)
    ]
    if rows:
        show_table(("word", "projection", "towards"), rows, right=(1,))


def _end(projection: float, first: str, second: str) -> str:
    return "-" if projection == 0 else first if projection > 0 else second
