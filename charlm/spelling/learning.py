"""From pairs of a word and its misspelling to a table of edit probabilities.

Each pair is aligned with the fewest edits. An edit is counted by itself and together with up to a
neighbour on each side, as a rule; a rule is kept where it was seen often and says more than its
edits by themselves.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from charlm.spelling.channel import MOST_RUN

NEIGHBOURS = (
    "qw we er rt ty yu ui io op as sd df fg gh hj jk kl zx xc cv vb bn nm qa ws ed rf tg yh uj ik "
    "ol az sx dc fv gb hn jm sw de fr gt hy ju ki lo sz xd cf vg bh nj mk"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NEAR = {pair for text in NEIGHBOURS.split() for pair in (text, text[::-1])}
_STRENGTH = 6.0  # how many letters the prior is worth
_RATES = {"replace": 0.010, "delete": 0.012, "insert": 0.006, "exchange": 0.004}
_RULE_COUNT = 4
_RULE_GAIN = 0.7
_MOST_RULES = 1500

Step = tuple[str, str]  # letters of the word, letters typed


def align(word: str, typed: str) -> list[Step]:
    """Return the fewest steps from a word to its misspelling; equal letters are steps too.

    Example:
        >>> align("their", "thier")
        [('t', 't'), ('h', 'h'), ('ei', 'ie'), ('r', 'r')]
    """
    rows, columns = len(word) + 1, len(typed) + 1
    cost = [[float(i + j) for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            same = word[i - 1] == typed[j - 1]
            best = min(
                cost[i - 1][j - 1] + (0.0 if same else _replacing(word[i - 1], typed[j - 1])),
                cost[i - 1][j] + 1.0,
                cost[i][j - 1] + 1.0,
            )
            if i > 1 and j > 1 and word[i - 2 : i] == typed[j - 2 : j][::-1] and not same:
                best = min(best, cost[i - 2][j - 2] + 1.0)
            cost[i][j] = best
    steps: list[Step] = []
    i, j = rows - 1, columns - 1
    while i or j:
        here = cost[i][j]
        same = i > 0 and j > 0 and word[i - 1] == typed[j - 1]
        if same and here == cost[i - 1][j - 1]:
            di, dj = 1, 1
        elif (
            i > 1
            and j > 1
            and not same
            and word[i - 2 : i] == typed[j - 2 : j][::-1]
            and (here == cost[i - 2][j - 2] + 1.0)
        ):
            di, dj = 2, 2
        elif (
            i
            and j
            and not same
            and (here == cost[i - 1][j - 1] + _replacing(word[i - 1], typed[j - 1]))
        ):
            di, dj = 1, 1
        elif i and here == cost[i - 1][j] + 1.0:
            di, dj = 1, 0
        else:
            di, dj = 0, 1
        steps.append((word[i - di : i], typed[j - dj : j]))
        i, j = i - di, j - dj
    return steps[::-1]


def _replacing(letter: str, typed: str) -> float:
    vowels = "aeiouy"
    return 1.05 if (letter in vowels) == (typed in vowels) else 1.4


def learn_channel(
    pairs: Iterable[tuple[str, str]],
    *,
    source: str = "",
    confused: Iterable[Sequence[str]] = (),
) -> dict[str, Any]:
    """Return a table for `channel.Channel`.

    Args:
        pairs: (word, misspelling), in lower case.
        source: where they come from.
        confused: sets of words that are written for each other.
    """
    edits: dict[str, Counter[str]] = {name: Counter() for name in _RATES}
    rules: Counter[Step] = Counter()
    runs: Counter[str] = Counter()
    for word, typed in pairs:
        if " " in word or " " in typed or abs(len(word) - len(typed)) > 3 or word == typed:
            continue
        steps = align(word, typed)
        if sum(a != b for a, b in steps) > max(1, len(word) // 2):
            continue
        marked = "^" + word
        for size in range(1, MOST_RUN + 1):
            runs.update(marked[k : k + size] for k in range(len(marked) - size + 1))
        for name, pair in _edits(steps):
            edits[name][pair] += 1
        rules.update(_rules(steps))
    table = _estimate(edits, runs)
    table["rules"] = _choose(rules, runs, table)
    table["confused"] = [list(words) for words in confused]
    table["source"] = source
    return table


def _edits(steps: list[Step]) -> Iterator[tuple[str, str]]:
    before = "^"
    for meant, typed in steps:
        if len(meant) == 2:
            yield "exchange", meant
        elif not typed:
            yield "delete", before + meant
        elif not meant:
            yield "insert", before + typed
        elif meant != typed:
            yield "replace", meant + typed
        before = meant[-1:] or before


def _rules(steps: list[Step]) -> Iterator[Step]:
    """Yield each edit with its neighbours, as far as runs may be long."""
    for place, (meant, typed) in enumerate(steps):
        if meant == typed:
            continue
        for low in range(max(0, place - 2), place + 1):
            for high in range(place + 1, min(len(steps), place + 3) + 1):
                source = "".join(step[0] for step in steps[low:high])
                target = "".join(step[1] for step in steps[low:high])
                if len(source) <= MOST_RUN and len(target) <= MOST_RUN and len(source) > 1:
                    yield source, target


def _estimate(edits: dict[str, Counter[str]], runs: Counter[str]) -> dict[str, Any]:
    table: dict[str, Any] = {"default": {}}
    for name, counts in edits.items():
        rate = _RATES[name]
        table["default"][name] = round(-math.log(rate / (26 if name != "delete" else 2)), 2)
        costs = {}
        for first in "^" + _LETTERS + "'":
            for second in _LETTERS + "'":
                if first == "^" and name in ("replace", "exchange"):
                    continue
                seen = runs[first if name in ("replace", "insert") else first + second]
                prior = rate * _share(name, first, second)
                prob = (counts[first + second] + _STRENGTH * prior) / (seen + _STRENGTH)
                costs[first + second] = round(-math.log(max(prob, 1e-6)), 2)
        table[name] = costs
    return table


def _share(name: str, first: str, second: str) -> float:
    """Return what part of the prior rate goes to this pair of letters."""
    if name == "replace":
        return 0.3 if first + second in _NEAR else 0.02
    if name == "insert":
        return 0.3 if first == second else 0.12 if first + second in _NEAR else 0.02
    if name == "delete":
        return 3.0 if first == second else 0.7
    return 1.0


def _choose(
    rules: Counter[Step], runs: Counter[str], table: dict[str, Any]
) -> list[list[str | float]]:
    """Return the rules that say more than the single edits that they are made of."""
    kept: list[list[str | float]] = []
    for (source, target), count in rules.most_common():
        if count < _RULE_COUNT or len(kept) >= _MOST_RULES:
            break
        cost = -math.log(count / max(runs[source], count))
        alone = sum(
            table[name].get(pair, table["default"][name])
            for name, pair in _edits(align(source, target))
        )
        if alone - cost >= _RULE_GAIN:
            kept.append([source, target, round(cost, 2)])
    return kept
