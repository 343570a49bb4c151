"""Scores as rows: of texts, and of the tokens of one."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from charlm.render.console import bold, one_line, out, width
from charlm.render.tables import columns_of, cut, figure, layout

if TYPE_CHECKING:
    from charlm.tasks.rank import RankedText
    from charlm.tasks.score import ScoreResult, TokenScore

_HEADER = f"{'log_prob':>10}  {'tokens':>6}  {'perplexity':>10}  {'bits/char':>9}  text"
_NARROW = f"{'log_prob':>10}  text"
_LEAST_TEXT = 8  # columns of text beside all figures; with fewer only the first figure is shown


def _limits() -> tuple[int | None, bool]:
    limit = width(sys.stdout)
    return limit, limit is not None and limit < len(_HEADER) - len("text") + _LEAST_TEXT


def show_head() -> None:
    """Write the titles of `show_row`."""
    out(bold(_NARROW if _limits()[1] else _HEADER, sys.stdout), trusted=True)


def show_row(result: ScoreResult, mark: str = "") -> None:
    """Write one text with its figures on a line; what does not fit a terminal is cut.

    Args:
        result: the text.
        mark: stands before it.
    """
    limit, narrow = _limits()
    head = f"{result.log_prob:10.3f}  "
    if not narrow:
        head += (
            f"{result.tokens:6d}  {figure(result.perplexity):>10}  "
            f"{figure(result.bits_per_char):>9}  "
        )
    text = mark + one_line(result.text)
    if limit is not None:
        text = cut(text, max(limit - len(head), 1))
    out((head + text).rstrip(), trusted=True)


def show_tokens(result: ScoreResult) -> None:
    """Write a line a token: its log-probability, probability, rank, and what was likelier.

    Where a terminal is too narrow for all, the token itself stays longest.
    """
    rows = [["log_prob", "p", "rank", "token", "likeliest"]]
    rows += [_token_row(item) for item in result.per_token]
    limit = width(sys.stdout)
    if limit is not None:
        rows = _narrowed(rows, limit - 2)
    for line in layout(rows, right=range(rows[0].index("token"))):
        shown = "  " + line
        out(shown if limit is None else cut(shown, limit), trusted=True)


def _narrowed(rows: list[list[str]], room: int) -> list[list[str]]:
    """Return the rows with as many columns as leave room for the tokens."""
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    least = [*widths[:3], *(min(one, _LEAST_TEXT) for one in widths[3:])]
    kept: tuple[int, ...] = ()
    for kept in ((0, 1, 2, 3, 4), (0, 1, 3, 4), (0, 3, 4), (0, 1, 3), (0, 3), (1, 3), (3,)):
        if sum(least[column] + 2 for column in kept) - 2 <= room:
            break
    return [[row[column] for column in kept] for row in rows]


def show_ranked(row: RankedText) -> None:
    """Write one candidate of a list; a blank line parts a list from the one before."""
    if row.rank == 1 and row.block > 1:
        out()
    out(f"{row.rank:4d}  {row.score:10.3f}  {one_line(row.text)}", trusted=True)


def _token_row(item: TokenScore) -> list[str]:
    likeliest = "  ".join(
        f"{_named(other.token)} {_percent(other.log_prob)}" for other in item.alternatives
    )
    rank = f"{item.rank:,}"
    return [f"{item.log_prob:.3f}", _percent(item.log_prob), rank, _named(item.token), likeliest]


def _named(token: str) -> str:
    """Return a token to be read: blanks in quotes."""
    shown = one_line(token)
    return shown if shown.strip() else f"'{shown}'"


def _percent(log_prob: float) -> str:
    """Return a probability in per cent with two digits that say something.

    Example:
        >>> _percent(math.log(0.5)), _percent(math.log(0.00123)), _percent(-20.0)
        ('50%', '0.12%', '2.1e-07%')
    """
    return f"{100.0 * math.exp(min(log_prob, 0.0)):.2g}%".replace("1e+02%", "100%")
