"""Labelled files as texts and labels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from charlm.base.errors import CorpusError
from charlm.classifying.formats import read_records, sniff_format
from charlm.classifying.tables import Columns
from charlm.tasks.train_classifier_config import LabelledConfig
from charlm.text.corpora import open_corpus


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LabelledTexts:
    """Texts, the label of each, and what a user should know of their reading."""

    name: str
    texts: list[str]
    labels: list[str]
    sha256: str
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: Sequence[int]) -> LabelledTexts:
        """Return those at these places."""
        return dataclasses.replace(
            self,
            texts=[self.texts[place] for place in chosen],
            labels=[self.labels[place] for place in chosen],
        )


def read_labelled(
    specs: Sequence[str], config: LabelledConfig, *, keep_empty: bool = False
) -> LabelledTexts:
    """Return the texts of labelled files, in their order.

    Args:
        specs: files, or `-` for standard input; each may be of a form of its own.
        config: how to read them.
        keep_empty: also those without any text; else they are left out, with a warning.

    Raises:
        CorpusError: if a file cannot be read or is malformed, or there is nothing in it.
    """
    import hashlib

    columns = Columns(config.label_column, config.text_column)
    texts: list[str] = []
    labels: list[str] = []
    warnings: list[str] = []
    digest = hashlib.sha256()
    name = ""
    for spec in specs:
        corpus = open_corpus([spec], encoding_errors=config.encoding_errors)
        text = corpus.read()
        digest.update(text.encode())
        name = name or _stem(corpus.name)
        where = "standard input" if spec == "-" else spec
        form = sniff_format(spec, text) if config.format == "auto" else config.format
        before, empty = len(texts), []
        for record in read_records(where, text, form, columns):
            if not record.label:
                raise CorpusError(f"{where}, line {record.line}: no label; expected one")
            if not record.text:
                empty.append(record.line)
                if not keep_empty:
                    continue
            texts.append(record.text)
            labels.append(record.label)
        if len(texts) == before:
            raise CorpusError(f"{where}: no labelled text; expected labels and texts ({form})")
        if empty:
            left = "" if keep_empty else ", left out"
            many = f"{len(empty):,} texts are" if len(empty) > 1 else "a text is"
            warnings.append(f"{where}: {many} empty, the first in line {empty[0]:,}{left}")
        _require_labels(where, form, labels[before:])
        warnings += corpus.warnings
    return LabelledTexts(
        name=name, texts=texts, labels=labels, sha256=digest.hexdigest(), warnings=tuple(warnings)
    )


def _stem(name: str) -> str:
    for suffix in (".csv", ".tsv", ".jsonl", ".ndjson", ".json"):
        name = name.removesuffix(suffix) or name
    return name


def _require_labels(where: str, form: str, labels: Sequence[str]) -> None:
    """Raise `CorpusError` if what is read as labels are none: hardly one comes twice."""
    if len(labels) >= 20 and 2 * len(set(labels)) > len(labels):
        raise CorpusError(
            f"{where}: {len(set(labels)):,} labels on {len(labels):,} texts, the first "
            f"{labels[0][:40]!r}, read as {form}; say with --format and --label-column where the "
            "labels are"
        )


def require_two_labels(data: LabelledTexts) -> None:
    """Raise `CorpusError` unless there is something to tell apart."""
    found = sorted(set(data.labels))
    if len(found) < 2:
        raise CorpusError(
            f"{data.name}: all {len(data):,} texts have the label {found[0][:80]!r}; a classifier "
            "needs at least two labels"
        )


def hold_out(
    data: LabelledTexts, fraction: float, seed: int
) -> tuple[LabelledTexts, LabelledTexts | None]:
    """Return a part to train on and one held out, of each label the same share.

    A label's only text is never held out. Which ones are held out depends on the seed alone.
    """
    if not fraction:
        return data, None
    order = np.random.default_rng(seed).permutation(len(data))
    counts = Counter(data.labels)
    wanted = {label: min(round(fraction * n), n - 1) for label, n in counts.items()}
    held: list[int] = []
    for place in order.tolist():
        label = data.labels[place]
        if wanted[label] > 0:
            wanted[label] -= 1
            held.append(place)
    if not held:
        return data, None
    held.sort()
    kept = sorted(set(range(len(data))) - set(held))
    return data.take(kept), data.take(held)
