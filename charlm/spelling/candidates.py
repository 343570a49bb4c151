"""What a spelling may stand for: itself, words near it or that sound like it, two words.

The options of a form are found once and kept (see `options`), for texts repeat themselves; many
new forms are looked up together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.ngram.probing import ProbingModel
from charlm.spelling.affixes import is_derived
from charlm.spelling.alike import Sounds
from charlm.spelling.channel import Channel, classes_of, mix, random_kinds
from charlm.spelling.confusions import Confusions
from charlm.spelling.deletes import Deletes, build_deletes, distinct
from charlm.spelling.distance import edit_distances
from charlm.spelling.edits import NO_EDIT
from charlm.spelling.lexicon import LONGEST, MOST_PARTS, UNKNOWN, Lexicon
from charlm.spelling.options import CONFUSED, KEEP, KEEP_UNKNOWN, OTHER_WORD, SPLIT, Form, Options
from charlm.spelling.plausible import Plausibility
from charlm.spelling.splits import find_splits
from charlm.spelling.surfaces import form_of, rarity_of, surface_log_probs, surface_tokens
from charlm.spelling.variants import is_variant

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]

MOST_UNKNOWN, MOST_KNOWN = 48, 40
_SOUND_SPREAD = 3
_MOST_OPTIONS = 1_500_000
_SHORT_FREQUENT = {1: 400, 2: 6_000, 3: 40_000}
_SOUND_FREQUENT = 30_000
_FEW, _LONG = 8, 6  # near words, letters: where others that sound nearly so are asked for
_RARE, _RARE_SHORT = 15_000, 2_500
_FUSED_COST = 10.0  # of any other reading of two words that many people write as one
_APOSTROPHE_COST = 0.7  # many people write none
_SHARE = 0.5


class Candidates:
    """Finds and keeps the options of forms."""

    def __init__(
        self,
        lexicon: Lexicon,
        deletes: Deletes,
        channel: Channel,
        model: ProbingModel,
        plausibility: Plausibility,
        sounds: Sounds,
        codes: Array,
        affixes: tuple[Sequence[str], Sequence[str]],
    ) -> None:
        self.lexicon, self._deletes, self._channel = lexicon, deletes, channel
        self._model, self._plausibility, self._sounds = model, plausibility, sounds
        self._classes = classes_of(lexicon.alphabet)
        self._all_codes = codes
        self._affixes = affixes
        self._confusions = Confusions(channel.confused, lexicon)
        self._lengths: Int64 = (codes != 0).sum(axis=0)
        self._tokens = surface_tokens(lexicon)
        self.log_probs = surface_log_probs(self._tokens, model)
        self.options = Options()
        self.forms: dict[str, Form] = {}
        self.texts = list(lexicon.surfaces)
        self._left: frozenset[str] = frozenset()
        self._extra: Deletes | None = None

    def leave_alone(self, words: Iterable[str]) -> None:
        """Take words for right wherever they stand; they are not offered for others."""
        self._left |= {form_of(word) for word in words}
        self._forget()

    def add_words(self, words: Iterable[str]) -> None:
        """Take words for right, and offer them where they are misspelt."""
        forms = list(dict.fromkeys(form_of(word) for word in words))
        self.leave_alone(forms)
        lexicon = self.lexicon
        new = [
            form
            for form in forms
            if form not in lexicon.ids
            and 1 < len(form) <= LONGEST
            and lexicon.letters.issuperset(form)
        ]
        if not new:
            return
        codes, lengths = lexicon.encode(new)
        numbers = np.arange(len(new)) + len(self.texts)
        self._extra = Deletes(build_deletes(codes, lengths, numbers))
        self.texts += new
        self._all_codes = np.concatenate([self._all_codes, codes], axis=1)
        self._lengths = np.concatenate([self._lengths, lengths])
        tokens = np.full((len(new), MOST_PARTS), -1, dtype=np.int32)
        tokens[:, 0] = UNKNOWN
        self._tokens = np.concatenate([self._tokens, tokens])
        likely = np.full(len(new), self.log_probs[UNKNOWN], dtype=np.float32)
        self.log_probs = np.concatenate([self.log_probs, likely])

    def _is_left(self, form: str) -> bool:
        return form in self._left or is_variant(form, self.lexicon.ids)

    def _forget(self) -> None:
        self.forms.clear()
        self.options.clear()

    def look_up(self, forms: Sequence[str]) -> None:
        """Make sure that `self.forms` has all of these."""
        if len(self.options.texts) > _MOST_OPTIONS:
            self._forget()
        new = list(dict.fromkeys(form for form in forms if form not in self.forms))
        if not new:
            return
        tokens = [self.lexicon.tokens(form) for form in new]
        known = np.array([found is not None for found in tokens])
        own = np.array(
            [
                self.lexicon.ids[form] if is_known else -1
                for form, is_known in zip(new, known, strict=True)
            ]
        )
        pairs = self._pairs(new, known, own)
        self._store(new, tokens, known, pairs)

    def _pairs(self, new: list[str], known: Array, own: Int64) -> tuple[Int64, Int64, Array]:
        """Return (form, surface, cost) of the best options, in order of the forms."""
        codes, lengths = self.lexicon.encode(new)
        fits = np.array(
            [len(form) <= LONGEST and self.lexicon.letters.issuperset(form) for form in new]
        )
        fits &= np.array([not self._is_left(form) for form in new])
        far = ~known | (own >= np.where(lengths > 3, _RARE, _RARE_SHORT))
        found = [self._near(np.flatnonzero(fits & ~far), codes, lengths, 1)]
        found.append(self._near(np.flatnonzero(fits & far), codes, lengths, 2))
        few = np.bincount(found[-1][0], minlength=len(new)) < _FEW
        found.append(self._nearly_alike(new, np.flatnonzero(fits & ~known & few)))
        found.append(self._alike(new, np.flatnonzero(fits), known, own))
        found.append(self._confusions.find(np.flatnonzero(fits & known), own))
        if self._extra is not None:
            found.append(self._near(np.flatnonzero(fits & ~known), codes, lengths, 2, self._extra))
        rows = np.concatenate([rows for rows, _ in found])
        surfaces = np.concatenate([surfaces for _, surfaces in found])
        keys = distinct(rows << 32 | surfaces)
        rows, surfaces = keys >> 32, keys & 0xFFFFFFFF
        other = surfaces != own[rows]
        rows, surfaces = rows[other], surfaces[other]
        if not len(rows):
            return rows, surfaces, np.zeros((2, 0), np.float32)
        costs = np.stack(
            self._channel.costs(
                self._all_codes[:, surfaces],
                self._lengths[surfaces],
                codes[:, rows],
                lengths[rows],
                self._classes,
                band=_SOUND_SPREAD,
            )
        )
        bare = self._bare(new, rows, surfaces)
        costs[:, bare] = np.minimum(costs[:, bare], _APOSTROPHE_COST)
        return self._best(rows, surfaces, costs, known, own)

    def _bare(self, new: list[str], rows: Int64, surfaces: Int64) -> Int64:
        """Return which options are the form with an apostrophe that was left out."""
        joined = np.flatnonzero(surfaces >= self.lexicon.vocab_size)
        return np.array(
            [
                place
                for place in joined.tolist()
                if self.texts[surfaces[place]].replace("'", "") == new[rows[place]]
            ],
            dtype=np.int64,
        )

    def _near(
        self,
        rows: Int64,
        codes: Array,
        lengths: Int64,
        distance: int,
        index: Deletes | None = None,
    ) -> tuple[Int64, Int64]:
        index = index or self._deletes
        found, surfaces = index.find(codes[:, rows], lengths[rows], distance)
        found = rows[found]
        size = lengths[found]
        limit = np.full(LONGEST + 1, 1 << 40)
        for length, frequent in _SHORT_FREQUENT.items():
            limit[length] = frequent
        fits = np.abs(self._lengths[surfaces] - size) <= distance
        if index is self._deletes:
            fits &= surfaces < limit[size]
        found, surfaces = found[fits], surfaces[fits]
        far = edit_distances(
            codes[:, found],
            lengths[found],
            self._all_codes[:, surfaces],
            self._lengths[surfaces],
            most=distance,
        )
        near = far <= distance
        return found[near], surfaces[near]

    def _alike(self, new: list[str], rows: Int64, known: Array, own: Int64) -> tuple[Int64, Int64]:
        rows = rows[~known[rows] | (own[rows] < _SOUND_FREQUENT)]
        found, surfaces = self._sounds.alike([new[row] for row in rows])
        found = rows[found]
        spread = np.where(known[found], 2, _SOUND_SPREAD)
        fits = self._spread(new, found, surfaces) <= spread
        fits &= ~known[found] | (surfaces < _SOUND_FREQUENT) | (surfaces >= self.lexicon.vocab_size)
        return found[fits], surfaces[fits]

    def _nearly_alike(self, new: list[str], rows: Int64) -> tuple[Int64, Int64]:
        """Return frequent words that sound nearly like long forms, which few are near to."""
        rows = rows[[len(new[row]) >= _LONG for row in rows]]
        found, surfaces = self._sounds.nearly_alike([new[row] for row in rows])
        found = rows[found]
        fits = surfaces < _SOUND_FREQUENT
        fits &= self._spread(new, found, surfaces) <= _SOUND_SPREAD
        return found[fits], surfaces[fits]

    def _spread(self, new: list[str], rows: Int64, surfaces: Int64) -> Int64:
        lengths = np.array([len(form) for form in new], dtype=np.int64)
        spread: Int64 = np.abs(self._lengths[surfaces] - lengths[rows])
        return spread

    def _best(
        self, rows: Int64, surfaces: Int64, costs: Array, known: Array, own: Int64
    ) -> tuple[Int64, Int64, Array]:
        promise = mix(costs[0], costs[1], _SHARE) - self.log_probs[surfaces]
        promise[self._confusions.are(own[rows], surfaces)] -= 100.0
        order = np.lexsort((promise, rows))
        rows, surfaces, costs = rows[order], surfaces[order], costs[:, order]
        first = np.searchsorted(rows, rows)
        most = np.where(known[rows], MOST_KNOWN, MOST_UNKNOWN)
        kept = np.arange(len(rows)) - first < most
        return rows[kept], surfaces[kept], costs[:, kept]

    def _store(
        self,
        new: list[str],
        tokens: list[tuple[int, ...] | None],
        known: Array,
        pairs: tuple[Int64, Int64, Array],
    ) -> None:
        rows, surfaces, costs = pairs
        lexicon = self.lexicon
        starts = np.searchsorted(rows, np.arange(len(new) + 1))
        plausible = -self._plausibility.log_probs(new)
        asked = [
            not self._is_left(form) and not (is_known and lexicon.ids[form] < _RARE)
            for form, is_known in zip(new, known, strict=True)
        ]
        splits = find_splits(new, asked, lexicon, self._model)
        ids = np.array(
            [self.lexicon.ids[form] if one else -1 for form, one in zip(new, known, strict=True)]
        )
        confused = self._confusions.are(ids[rows], surfaces)
        lengths = np.array([len(form) for form in new], dtype=np.int64)
        kinds_of_edits = random_kinds(costs[1], self._lengths[surfaces], lengths[rows])
        for number, form in enumerate(new):
            here = slice(starts[number], starts[number + 1])
            parts = splits.get(number, [])
            count = 1 + starts[number + 1] - starts[number] + len(parts)
            rows_tokens = np.full((count, MOST_PARTS), -1, dtype=np.int32)
            own = tokens[number]
            rows_tokens[0, : len(own or (UNKNOWN,))] = own or (UNKNOWN,)
            rows_tokens[1 : count - len(parts)] = self._tokens[surfaces[here]]
            kinds = np.full(count, OTHER_WORD, dtype=np.uint8)
            kinds[1 : count - len(parts)][confused[here]] = CONFUSED
            is_known = bool(own) or self._is_left(form)
            kinds[0] = KEEP if is_known else KEEP_UNKNOWN
            values = np.zeros(count, dtype=np.float32)
            values[0] = 0.0 if is_known else plausible[number]
            values[1 : count - len(parts)] = costs[0, here]
            random = values.copy()
            random[1 : count - len(parts)] = costs[1, here]
            fused = bool(parts) and form in self._channel.fused
            if fused:
                values[: count - len(parts)] += _FUSED_COST
                random[: count - len(parts)] += _FUSED_COST
            texts = [form, *[self.texts[surface] for surface in surfaces[here]]]
            for place, (first, second) in enumerate(parts, count - len(parts)):
                rows_tokens[place, :2] = lexicon.ids[first], lexicon.ids[second]
                kinds[place] = CONFUSED if fused else SPLIT
                texts.append(f"{first} {second}")
            edits = np.zeros(count, dtype=np.uint8)
            edits[1 : count - len(parts)] = kinds_of_edits[here]
            where = self.options.add(rows_tokens, values, random, edits, kinds, texts)
            derived = (not own or lexicon.ids[form] >= _RARE) and is_derived(
                form, lexicon.ids, *self._affixes
            )
            at = starts[number]
            chance, edit = -1.0, NO_EDIT
            if not is_known and starts[number + 1] > at:  # the first is the most promising
                chance = 1.0 / (1.0 + float(np.exp(costs[1, at] - costs[0, at])))
                edit = int(kinds_of_edits[at])
            rarity = rarity_of(float(self.log_probs[lexicon.ids[form]])) if own else 0.0
            self.forms[form] = Form(where, count, is_known, derived, rarity, chance, edit)
