"""Train a classifier: read labelled texts, learn, judge, save."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import to_json
from charlm.base.errors import TaskError
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig, describe
from charlm.classifying.folder import KIND, save_classifier
from charlm.classifying.joining import fit_shares
from charlm.classifying.training import Arrays, joined, train_linear
from charlm.store.checkpoint import MetricsLog, clear_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.evaluate_classifier import Judgement, judge
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import ClassifierData, Part, read_classifier_data
from charlm.tasks.train_classifier_layers import Layers, train_layers
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
    data = read_classifier_data(files, config)
    yield from (Message(text=text, warning=True) for text in data.warnings)
    folder = model_folder(name or free_name(data.train.texts.name, overwrite))
    held = f", {len(data.valid.words):,} held out" if data.valid else ""
    yield Message(
        text=f"{folder.name}: {len(data.train.words):,} texts to learn from, "
        f"{len(data.labels)} labels{held}"
    )
    with FolderLock(folder):
        if overwrite:
            clear_resume(folder)
        yield from _Run(folder, data, config, list(files)).train()


class _Run:
    """One training in a folder whose lock is held."""

    def __init__(
        self, folder: Path, data: ClassifierData, config: ClassifierTrainConfig, files: list[str]
    ) -> None:
        self.folder, self.data, self.config, self.files = folder, data, config, files
        self._form = _form(config, data.labels)
        self._linear: Arrays = {}
        self._layers: Layers | None = None
        self._shares: list[float] = []

    def train(self) -> Iterator[TrainEvent | ClassifierResult]:
        """Train both branches, join them, judge and save."""
        begun = time.monotonic()
        train = self.data.train.known()
        valid = self.data.valid.known() if self.data.valid else None
        with Interrupts() as interrupts:
            if self.config.ngrams:
                yield from self._train_linear(train, valid)
            if self.config.num_layers and not (interrupts.signal and self._linear):
                yield from self._train_layers(train, valid, interrupts)
            seconds = time.monotonic() - begun
            yield from self._finish(train, seconds, interrupts.signal)

    def _train_linear(self, train: Part, valid: Part | None) -> Iterator[TrainEvent]:
        config = self.config
        form, arrays = train_linear(
            self._form,
            train.words,
            train.gold,
            min_count=config.min_count,
            penalty=config.penalty,
        )
        if not form.ngrams:
            raise TaskError(
                f"no n-gram is seen {config.min_count or 1:,} times; give a smaller --min-count"
            )
        self._form, self._linear = form, arrays
        self._shares, nats = [1.0], float("nan")
        found = ""
        if valid is not None and len(valid.gold):
            logits = self._linear_logits(valid)
            self._shares, nats = fit_shares([logits], valid.gold)
            right = float((logits.argmax(axis=1) == valid.gold).mean())
            found = f"  valid {right:.2%} right, {nats:.4f} nats"
        yield Message(text=f"n-grams: {self._form.ngrams:,}{found}")

    def _linear_logits(self, part: Part) -> npt.NDArray[np.float32]:
        form = dataclasses.replace(self._form, num_layers=0)
        return Classifier(form, [], self._linear).logits(part.words)

    def _train_layers(
        self, train: Part, valid: Part | None, interrupts: Interrupts
    ) -> Iterator[TrainEvent]:
        yield Message(text="preparing the layers (the first time compiles kernels, some seconds)")
        linear = None
        if self._linear:
            has_valid = valid is not None and len(valid.gold)
            linear = self._linear_logits(valid) if valid and has_valid else _NO_LOGITS
        form = dataclasses.replace(self._form, num_layers=self.config.num_layers)
        self._layers = yield from train_layers(form, self.config, train, valid, linear, interrupts)
        self._shares = self._layers.shares

    def _finish(
        self, train: Part, seconds: float, signal: str
    ) -> Iterator[TrainEvent | ClassifierResult]:
        layers = self._layers
        form = dataclasses.replace(self._form, num_layers=0) if layers is None else layers.config
        words = [] if layers is None else layers.words
        tensors = joined(self._linear, {} if layers is None else layers.arrays, self._shares)
        classifier = Classifier(form, words, tensors)
        valid, test = (
            judge(classifier, part.texts) if part else None
            for part in (self.data.valid, self.data.test)
        )
        result = ClassifierResult(
            name=self.folder.name,
            kind=KIND,
            folder=str(self.folder),
            parameters=sum(array.size for key, array in tensors.items() if key != "ngram_keys"),
            steps=layers.steps if layers else 1,
            epochs=layers.epochs if layers else 1.0,
            duration_seconds=seconds,
            texts_per_second=len(train.words) * (layers.epochs if layers else 1.0) / seconds,
            device="cpu",
            labels=len(form.labels),
            valid=valid,
            test=test,
            interrupted=bool(signal),
            signal=signal,
        )
        training = self._training(result, len(train.words))
        card = _card(self.folder.name, form, training)
        save_classifier(self.folder, form, words, tensors, training=training, card=card)
        with MetricsLog(self.folder) as log:  # also clears that of a model that was replaced
            for record in layers.records if layers else ():
                log.append(record)
            if valid and layers is None:
                log.append({"kind": "valid", "step": result.steps, **valid.record()})
        yield Saved(step=result.steps, folder=str(self.folder))
        yield result

    def _training(self, result: ClassifierResult, texts: int) -> dict[str, Any]:
        return {
            "config": to_json(self.config),
            "corpus": self.files,
            "corpus_sha256": self.data.train.texts.sha256,
            "description": " ".join(self.files),
            "parameters": result.parameters,
            "texts": texts,
            "steps": result.steps,
            "epochs": result.epochs,
            "duration_seconds": result.duration_seconds,
            "shares": self._shares,
            "valid": result.valid.record() if result.valid else None,
            "test": result.test.record() if result.test else None,
        }


_NO_LOGITS = np.zeros((0, 0), dtype=np.float32)  # where nothing is held out


def _form(config: ClassifierTrainConfig, labels: tuple[str, ...]) -> ClassifierConfig:
    """Return the form of a classifier before its words and n-grams are known."""
    return ClassifierConfig(
        labels=labels,
        lowercase=config.lowercase,
        ngrams=0,
        longest_ngram=max(1, config.ngrams),
        shortest_chars=3 if config.char_ngrams else 0,
        longest_chars=config.char_ngrams,
        pooling=config.pooling,
        num_layers=max(1, config.num_layers),  # until it is known whether there will be any
        longest=config.longest,
        word_dim=config.word_dim,
        subword_dim=config.subword_dim,
        cell=config.cell,
        hidden_size=config.hidden_size,
    )


def _card(name: str, form: ClassifierConfig, training: dict[str, Any]) -> str:
    shown = ", ".join(safe_text(label[:40]) for label in form.labels[:20])
    more = f" and {len(form.labels) - 20} more" if len(form.labels) > 20 else ""
    lines = [
        f"# {name}",
        "",
        f"A text classifier ({describe(form)}), trained with charlm.",
        "",
        f"- labels: {shown}{more}",
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
