"""Kneser-Ney smoothing from the equations, with dictionaries: slow, and plain to read."""

from collections import Counter, defaultdict

import numpy as np

MARK = "<s>"


def discounts_of(counts):
    """Return D(0), D(1), D(2), D(3+) of Chen and Goodman's equation 26."""
    n = Counter(counts)
    if not (n[1] and n[2] and n[3]):
        return [0, 0.5, 1.0, 1.5]
    y = n[1] / (n[1] + 2 * n[2])
    found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
    good = all(0 < d <= k for k, d in enumerate(found, start=1))
    return [0, *found] if good else [0, 0.5, 1.0, 1.5]


class Reference:
    """p(token | history) of texts, each a list of ids; see `counting.count_ngrams`."""

    def __init__(self, texts, starts, order, vocab_size):
        self.order, self.vocab_size = order, vocab_size
        raw = [Counter() for _ in range(order + 1)]
        left = [defaultdict(set) for _ in range(order + 1)]
        for text in texts:
            for length in range(1, order + 1):
                for i in range(len(text) - length + 1):
                    gram = tuple(text[i : i + length])
                    raw[length][gram] += 1
                    left[length - 1][gram[1:]].add(gram[0])
        for text, at in starts:
            for length in range(2, order + 1):
                gram = (MARK, *text[at : at + length - 1])
                if len(gram) == length:
                    raw[length][gram] += 1
                    if len(texts) > 1:  # texts apart: their beginning is a context like others
                        left[length - 1][gram[1:]].add(MARK)
        self.counts = []
        for length in range(1, order + 1):
            if length == order:
                self.counts.append(dict(raw[length]))
                continue
            self.counts.append(
                {
                    gram: count if gram[0] == MARK else max(1, len(left[length][gram]))
                    for gram, count in raw[length].items()
                }
            )
        self.discounts = [discounts_of(counts.values()) for counts in self.counts]

    def prob(self, token, history):
        """Return p(token | history), the mark first if the history is all there is."""
        context = tuple(history[-(self.order - 1) :]) if self.order > 1 else ()
        return self._prob(token, context)

    def _prob(self, token, context):
        length = len(context) + 1
        counts, d = self.counts[length - 1], self.discounts[length - 1]
        after = {gram: c for gram, c in counts.items() if gram[:-1] == context}
        lower = self._prob(token, context[1:]) if context else 1 / self.vocab_size
        total = sum(after.values())
        if not total:
            return lower
        own = after.get((*context, token), 0)
        rest = sum(d[min(c, 3)] for c in after.values())
        return (own - d[min(own, 3)]) / total + rest / total * lower

    def log_probs(self, ids, line_end_id=None):
        """Return log p of each token of a text."""
        history, found = [MARK], []
        for token in ids:
            found.append(np.log(self.prob(token, history)))
            history = [MARK] if token == line_end_id else [*history, token]
        return np.array(found)


def reference_of(ids, order, vocab_size, line_end_id=None, line_ends=()):
    """Return the reference of what `build_ngram` is given."""
    ends = {line_end_id} if line_end_id is not None else set(line_ends)
    places = [0] + [i + 1 for i, token in enumerate(ids[:-1]) if token in ends]
    if line_end_id is None:
        return Reference([ids], [(ids, at) for at in places], order, vocab_size)
    lines = [ids[a:b] for a, b in zip(places, [*places[1:], len(ids)], strict=True)]
    return Reference([*lines, []], [(line, 0) for line in lines], order, vocab_size)
