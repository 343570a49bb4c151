"""Train a classifier: read labelled texts, learn, judge, save."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.config import to_json
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.folder import KIND, save_classifier
from charlm.classifying.training import train_linear
from charlm.classifying.words import split_words
from charlm.store.checkpoint import MetricsLog, clear_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.evaluate_classifier import Judgement, judge
from charlm.tasks.labelled import LabelledTexts, hold_out, read_labelled, require_two_labels
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_events import Message, Saved, TrainEvent
from charlm.tasks.train_folder import free_name, model_folder, require_free


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierResult:
    """The end of a training; the JSON line of `charlm train classifier --json` has these keys."""

    name: str
    kind: str
    folder: str
    parameters: int
    steps: int
    epochs: float
    duration_seconds: float
    texts_per_second: float
    device: str
    labels: int
    valid: Judgement | None
    test: Judgement | None
    interrupted: bool = False
    signal: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    """All that a training reads."""

    train: LabelledTexts
    valid: LabelledTexts | None
    test: LabelledTexts | None
    labels: tuple[str, ...]
    warnings: tuple[str, ...]


def train_classifier(
    files: Sequence[str],
    config: ClassifierTrainConfig,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Iterator[TrainEvent | ClassifierResult]:
    """Train and save a classifier, yielding what happens; the last event is a ClassifierResult.

    Args:
        files: labelled files, or `-` for standard input.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the first file, the first that
            is free.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, ConfigError, CheckpointError: as these say.
    """
    if name is not None:
        require_valid_name(name)
        require_free(model_folder(name), overwrite, can_resume=False)
    data = _read(files, config)
    yield from (Message(text=text, warning=True) for text in data.warnings)
    folder = model_folder(name or free_name(data.train.name, overwrite))
    held = f", {len(data.valid):,} held out" if data.valid else ""
    yield Message(
        text=f"{folder.name}: {len(data.train):,} texts to learn from, {len(data.labels)} labels"
        + held
    )
    with FolderLock(folder):
        if overwrite:
            clear_resume(folder)
        yield from _train(folder, data, config, files)


def _read(files: Sequence[str], config: ClassifierTrainConfig) -> _Data:
    whole = read_labelled(files, config)
    require_two_labels(whole)
    valid = test = None
    train = whole
    if config.valid is not None:
        valid = read_labelled([config.valid], config)
    else:
        train, valid = hold_out(whole, config.valid_fraction, config.seed)
    if config.test is not None:
        test = read_labelled([config.test], config)
    labels = tuple(sorted(set(train.labels)))
    warnings = list(whole.warnings)
    for part in (valid if config.valid else None, test):
        if part is None:
            continue
        warnings += part.warnings
        unseen = sorted(set(part.labels) - set(labels))
        if unseen:
            shown = ", ".join(repr(label[:40]) for label in unseen[:5])
            warnings.append(f"{part.name}: labels without a text to learn from: {shown}")
    return _Data(train=train, valid=valid, test=test, labels=labels, warnings=tuple(warnings))


def _train(
    folder: Path, data: _Data, config: ClassifierTrainConfig, files: Sequence[str]
) -> Iterator[TrainEvent | ClassifierResult]:
    begun = time.monotonic()
    form = ClassifierConfig(
        labels=data.labels,
        lowercase=config.lowercase,
        order=max(1, config.ngrams),
        shortest_chars=3 if config.char_ngrams else 0,
        longest_chars=config.char_ngrams,
    )
    words = [split_words(text, lowercase=config.lowercase) for text in data.train.texts]
    places = {label: place for place, label in enumerate(data.labels)}
    gold = np.array([places[label] for label in data.train.labels], dtype=np.int64)
    form, tensors = train_linear(
        form, words, gold, min_count=config.min_count, penalty=config.penalty
    )
    seconds = time.monotonic() - begun
    classifier = Classifier(form, tensors)
    valid = judge(classifier, data.valid) if data.valid else None
    test = judge(classifier, data.test) if data.test else None
    parameters = sum(array.size for key, array in tensors.items() if key != "ngram_keys")
    training: dict[str, Any] = {
        "config": to_json(config),
        "corpus": list(files),
        "corpus_sha256": data.train.sha256,
        "description": " ".join(files),
        "parameters": parameters,
        "texts": len(data.train),
        "steps": 1,
        "epochs": 1.0,
        "duration_seconds": seconds,
        "valid": valid.record() if valid else None,
        "test": test.record() if test else None,
    }
    save_classifier(
        folder, form, tensors, training=training, card=_card(folder.name, form, training)
    )
    with MetricsLog(folder) as log:  # also clears that of a model that was replaced
        if valid:
            log.append({"kind": "valid", "step": 1, **valid.record()})
    yield Saved(step=1, folder=str(folder))
    yield ClassifierResult(
        name=folder.name,
        kind=KIND,
        folder=str(folder),
        parameters=parameters,
        steps=1,
        epochs=1.0,
        duration_seconds=seconds,
        texts_per_second=len(data.train) / max(1e-9, seconds),
        device="cpu",
        labels=len(data.labels),
        valid=valid,
        test=test,
    )


def _card(name: str, form: ClassifierConfig, training: dict[str, Any]) -> str:
    shown = ", ".join(safe_text(label[:40]) for label in form.labels[:20])
    more = f" and {len(form.labels) - 20} more" if len(form.labels) > 20 else ""
    lines = [
        f"# {name}",
        "",
        f"A text classifier ({len(form.labels)} labels: {shown}{more}), trained with charlm.",
        "",
        f"- texts: {safe_text(training['description'])}, {training['texts']:,} to learn from",
    ]
    lines += [
        f"- {part}: {held['accuracy']:.2%} right, macro F1 {held['macro_f1']:.4f} over "
        f"{held['texts']:,} texts"
        for part in ("valid", "test")
        if (held := training[part])
    ]
    lines += ["", "```console", f'$ charlm classify -m {name} "…"', "```", ""]
    return "\n".join(lines)
