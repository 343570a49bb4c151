"""Which model a file measures where nobody named one: the newest of a kind that the file suits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from charlm.base.errors import CharlmError
from charlm.store.checkpoint import load_model
from charlm.store.locate import LANGUAGE_MODEL_KINDS, newest_models, told_choice
from charlm.tasks.train_classifier_config import LabelledConfig
from charlm.text.corpora import open_corpus

_LOOKED_AT = 50  # labels or sentences of a file
_MOST_CHARS = 1 << 24  # a labelled file that is longer is told by its beginning
_LABELLING = ("classifier", "tagger")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A model; `note` says that it was taken."""

    folder: Path
    kind: str
    note: str


def choose_labelling(
    files: Sequence[str], config: LabelledConfig, *, must: bool = False
) -> Chosen | None:
    """Return the newest model if it is a classifier or tagger whose labels the first file has.

    Or word vectors, where the file holds questions for such. Of a model whose labels are others
    the next newest is asked; a language model suits any file.

    Args:
        files: to be measured on.
        config: how labelled files are read.
        must: take no language model; where no other suits, the newest of the others.

    Returns:
        None where a language model is meant, or there is no model.
    """
    first: Chosen | None = None
    text: str | None = None
    # a tagger's files have neither
    kinds = ("classifier",) if config.format != "auto" or config.text_column else _LABELLING
    for folder, kind in newest_models():
        if kind in kinds:
            text = _beginning(files[0], config.encoding_errors) if text is None else text
            why = f" that suits {files[0]}"
            chosen = Chosen(folder=folder, kind=kind, note=told_choice(folder, why))
            if text and _suits(folder, kind, files[0], text, config):
                return chosen
            first = first or chosen
        elif kind == "vectors" and not must:
            text = _beginning(files[0], config.encoding_errors) if text is None else text
            if text and _asks_vectors(text, files[0]):
                note = told_choice(folder, f" that suits {files[0]}")
                return Chosen(folder=folder, kind=kind, note=note)
        elif kind in LANGUAGE_MODEL_KINDS and not must:
            return None
    return dataclasses.replace(first, note=told_choice(first.folder)) if must and first else None


def _beginning(spec: str, encoding_errors: str) -> str:
    """Return a file's text, of a long one the beginning; nothing where it cannot be read twice."""
    if not Path(spec).is_file():
        return ""
    text = ""
    try:
        for part in open_corpus([spec], encoding_errors=encoding_errors).read_parts():
            text += part
            if len(text) > _MOST_CHARS:
                return text[: text.rfind("\n", 0, _MOST_CHARS) + 1]
    except CharlmError:  # told by whoever reads it to measure on it
        return ""
    return text


def _asks_vectors(text: str, name: str) -> bool:
    """Return whether a text holds nothing but analogies, or pairs of words with a number."""
    from charlm.vectors.evaluation import parse_questions

    try:
        return bool(parse_questions(text, name))
    except CharlmError:
        return False


def _suits(folder: Path, kind: str, name: str, text: str, config: LabelledConfig) -> bool:
    """Return whether at least half of the labels that a file begins with are a model's."""
    try:
        model = load_model(folder, weights=False).model_config
        if kind == "classifier":
            known, read = model.get("labels", ()), _labels(name, text, config)
        else:
            known, read = model.get("tags", ()), _tags(name, text, config, model.get("column"))
        if not isinstance(known, (list, tuple)):
            return False  # who loads it says that it is damaged
        found = list(itertools.islice(read, _LOOKED_AT))
    except CharlmError:
        return False
    return 2 * sum(label in known for label in found) >= len(found) > 0


def _labels(name: str, text: str, config: LabelledConfig) -> Iterator[str]:
    from charlm.classifying.formats import read_records, sniff_format
    from charlm.classifying.tables import Columns

    form = sniff_format(name, text) if config.format == "auto" else config.format
    columns = Columns(config.label_column, config.text_column)
    return (record.label for record in read_records(name, text, form, columns))


def _tags(name: str, text: str, config: LabelledConfig, own: object) -> Iterator[str]:
    from charlm.tagging.reading import CONLLU_COLUMNS, read_sentences

    usual = str(own) if own in CONLLU_COLUMNS else ""
    sentences = read_sentences([text], name, config.label_column, conllu_column=usual)
    return (tag for sentence in sentences for tag in sentence.tags)
