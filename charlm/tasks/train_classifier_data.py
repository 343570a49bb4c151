"""All that the training of a classifier reads."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.words import split_words
from charlm.tasks.labelled import LabelledTexts, hold_out, read_labelled, require_two_labels
from charlm.tasks.train_classifier_config import ClassifierTrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Texts cut into words, and the index of each one's label; -1 for a label without a number."""

    texts: LabelledTexts
    words: list[list[str]]
    gold: npt.NDArray[np.int64]

    def known(self) -> Part:
        """Return those whose label has a number, and that have words."""
        kept = [
            place
            for place, (words, label) in enumerate(zip(self.words, self.gold, strict=True))
            if words and label >= 0
        ]
        return Part(
            texts=self.texts.take(kept),
            words=[self.words[place] for place in kept],
            gold=self.gold[kept],
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierData:
    """What to learn from, to choose by and to judge by; `labels` are those to be learnt."""

    train: Part
    valid: Part | None
    test: Part | None
    labels: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """A checksum of the files that are learnt from and chosen by."""
        parts = [self.train, *([self.valid] if self.valid else [])]
        joined = "\n".join(part.texts.sha256 for part in parts)
        return hashlib.sha256(joined.encode()).hexdigest()


def read_classifier_data(files: Sequence[str], config: ClassifierTrainConfig) -> ClassifierData:
    """Return the texts of labelled files, cut into words, a part held out.

    Raises:
        CorpusError: if they cannot be read, are malformed, or have one label only.
    """
    whole = read_labelled(files, config)
    require_two_labels(whole)
    warnings = list(whole.warnings)
    valid: LabelledTexts | None
    if config.valid is not None:
        chosen = read_labelled([config.valid], config)
        warnings += chosen.warnings
        train, valid = whole, chosen
    else:
        train, valid = hold_out(whole, config.valid_fraction, config.seed)
    test = read_labelled([config.test], config) if config.test is not None else None
    warnings += test.warnings if test else ()
    labels = tuple(sorted(set(train.labels)))
    for part in (valid, test):
        unseen = sorted(set(part.labels) - set(labels)) if part else []
        if part and unseen:
            shown = ", ".join(repr(label[:40]) for label in unseen[:5])
            warnings.append(f"{part.name}: labels without a text to learn from: {shown}")
    numbers = {label: number for number, label in enumerate(labels)}

    def cut(texts: LabelledTexts) -> Part:
        words = [split_words(text, lowercase=config.lowercase) for text in texts.texts]
        gold = np.array([numbers.get(label, -1) for label in texts.labels], dtype=np.int64)
        return Part(texts=texts, words=words, gold=gold)

    return ClassifierData(
        train=cut(train),
        valid=cut(valid) if valid else None,
        test=cut(test) if test else None,
        labels=labels,
        warnings=tuple(warnings),
    )


def count_words(part: Part) -> int:
    """Return how many words a part has."""
    return sum(map(len, part.words))
