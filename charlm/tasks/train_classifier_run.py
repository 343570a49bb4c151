"""One training of a classifier, new or continued, in a folder whose lock is held."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.config import to_json
from charlm.base.errors import CheckpointError
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.folder import KIND, save_classifier
from charlm.classifying.training import Arrays, joined
from charlm.store.checkpoint import MetricsLog, ResumeState, keep_newest, save_resume
from charlm.tasks.evaluate_classifier import Judgement, judge
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_classifier_card import classifier_card
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import ClassifierData, count_words
from charlm.tasks.train_classifier_layers import LayersTraining
from charlm.tasks.train_classifier_linear import Linear, restore_linear, train_linear_branch
from charlm.tasks.train_continue import nothing_done, require_same_words, words_checksum
from charlm.tasks.train_events import Message, Saved, TrainEvent, TrainResult
from charlm.tasks.train_folder import lasting

SAVE_SECONDS = 30.0
_NO_LOGITS = np.zeros((0, 0), dtype=np.float32)  # where nothing is held out


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierResult(TrainResult):
    """The end of a run, with its figures on the texts held out and on the test file."""

    texts_per_second: float
    labels: int
    valid_figures: Judgement | None
    test_figures: Judgement | None


class Run:
    """A training from the labelled texts to the saved classifier.

    The branches learn one after the other: n-grams at once, layers epoch by epoch. A state is
    saved when the n-grams are learnt, and now and then while the layers are.
    """

    def __init__(
        self,
        folder: Path,
        data: ClassifierData,
        config: ClassifierTrainConfig,
        corpus: list[str],
        found: ResumeState | None = None,
    ) -> None:
        self.folder, self.data, self.config, self.corpus = folder, data, config, corpus
        self._lasting = lasting(corpus)
        self._found = found
        self._texts = data.train.known()
        self._held = data.valid.known() if data.valid else None
        self._form = _form(config, data.labels)
        self._linear: Linear | None = None
        self._layers: LayersTraining | None = None
        self._seconds = 0.0  # that the linear branch took
        self._ended = False

    def train(self) -> Iterator[TrainEvent]:
        """Train both branches, join them, judge and save; the last event is the result."""
        step = None if self._found is None else self._found.step
        with Interrupts() as interrupts, MetricsLog(self.folder, resume_step=step) as log:
            yield from self._learn_ngrams()
            if self.config.num_layers:
                yield from self._learn_layers(interrupts, log)
            else:
                self._ended = True
            yield from self._finish("" if self._ended else interrupts.signal, log)

    def _learn_ngrams(self) -> Iterator[TrainEvent]:
        if self._found is not None:
            self._restore_ngrams(self._found)
        elif self.config.ngrams:
            begun = time.monotonic()
            self._linear = yield from train_linear_branch(
                self._form, self.config, self._texts, self._held
            )
            self._seconds = time.monotonic() - begun

    def _restore_ngrams(self, found: ResumeState) -> None:
        try:
            self._seconds = float(found.state["seconds"])
            if self.config.ngrams:
                self._linear = restore_linear(self._form, found.tensors, found.state["shares"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._misfit(error) from error

    def _learn_layers(self, interrupts: Interrupts, log: MetricsLog) -> Iterator[TrainEvent]:
        if self._found is None and self._linear is not None:
            self._save_state(log)  # what took a while is safe from here on
            if interrupts.signal:
                return
        yield Message(text="preparing the layers (the first time compiles kernels, some seconds)")
        layers = self._layers = self._build_layers(log)
        if layers.introduction:
            yield Message(text=layers.introduction)
        if self._found is not None:
            yield Message(text=f"going on from step {layers.step:,}")
        saved, begun = time.monotonic(), layers.step
        for event in layers.events():
            yield event
            if interrupts.signal and layers.step:
                return
            if time.monotonic() - saved >= SAVE_SECONDS:
                self._save_model(finished=False)
                self._save_state(log)
                saved = time.monotonic()
        if self._found is not None and layers.step == begun:
            yield nothing_done(begun, self.config)
        self._ended = True

    def _build_layers(self, log: MetricsLog) -> LayersTraining:
        held, linear = self._held, None
        if self._linear is not None:
            linear = self._linear.logits(held) if held and len(held.gold) else _NO_LOGITS
        values = None if self._found is None else self._found.state.get("layers")
        form = dataclasses.replace(
            self._form if self._linear is None else self._linear.form,
            num_layers=self.config.num_layers,
        )
        try:
            layers = LayersTraining(form, self.config, self._texts, held, linear, log)
            if self._found is not None and values is not None:
                before, now = values.get("words_sha256"), words_checksum(layers.words)
                require_same_words(self.folder, before, now, "a new classifier")
                layers.restore(self._found.tensors, values)
        except (KeyError, TypeError, ValueError) as error:
            raise self._misfit(error) from error
        return layers

    def _misfit(self, error: Exception) -> CheckpointError:
        return CheckpointError(
            f"{self.folder}/resume does not fit its own settings ({str(error)[:200]}); train a new "
            "classifier with --name"
        )

    def _finish(self, signal: str, log: MetricsLog) -> Iterator[TrainEvent]:
        layers = self._layers
        if self.config.num_layers:
            self._save_state(log)
        if layers is not None and layers.looked < layers.step:  # stopped within an epoch
            layers.look(logged=False)
        result = self._result(signal)
        self._save_model(finished=self._ended, result=result)
        if self._ended:
            keep_newest(self.folder)
        if result.valid_figures and layers is None:
            log.append({"kind": "valid", "step": result.steps, **result.valid_figures.record()})
        yield Saved(step=result.steps, folder=str(self.folder))
        yield result

    def _model(self) -> tuple[ClassifierConfig, list[str], Arrays] | None:
        """Return the best classifier so far; None before there is any."""
        arrays = {} if self._linear is None else self._linear.arrays
        layers = self._layers
        if layers is not None and layers.best is not None:
            best = layers.best
            return layers.form, layers.words, joined(arrays, best.arrays, best.shares)
        if self._linear is not None:
            return self._linear.form, [], joined(arrays, {}, self._linear.shares)
        return None

    def _duration(self) -> float:
        return self._seconds + (self._layers.clock.elapsed() if self._layers else 0.0)

    def _result(self, signal: str) -> ClassifierResult:
        model = self._model()
        if model is None:
            raise RuntimeError("there is nothing to save")
        form, words, tensors = model
        classifier = Classifier(form, words, tensors)
        valid, test = (
            judge(classifier, part.texts) if part else None
            for part in (self.data.valid, self.data.test)
        )
        layers, seconds = self._layers, max(1e-9, self._duration())
        epochs = layers.epochs if layers else 1.0
        return ClassifierResult(
            name=self.folder.name,
            kind=KIND,
            folder=str(self.folder),
            parameters=sum(array.size for key, array in tensors.items() if key != "ngram_keys"),
            steps=layers.step if layers else 1,
            epochs=epochs,
            duration_seconds=seconds,
            tokens_per_second=count_words(self._texts) * epochs / seconds,
            texts_per_second=len(self._texts.words) * epochs / seconds,
            device="cpu",
            labels=len(form.labels),
            valid=None,
            test=None,
            valid_figures=valid,
            test_figures=test,
            interrupted=bool(signal),
            signal=signal,
        )

    def _save_state(self, log: MetricsLog) -> None:
        state: dict[str, Any] = {
            "kind": KIND,
            "config": to_json(self.config),
            "corpus": self._lasting,
            "sha256": self.data.sha256,
            "seconds": self._seconds,
        }
        arrays: Arrays = {}
        if self._linear is not None:
            arrays, state["shares"] = self._linear.state()
        if self._layers is not None:
            learnt, state["layers"] = self._layers.state()
            arrays |= learnt
        log.sync()
        save_resume(self.folder, self._layers.step if self._layers else 0, arrays, state)

    def _save_model(self, *, finished: bool, result: ClassifierResult | None = None) -> None:
        model = self._model()
        if model is None:
            return
        form, words, tensors = model
        training = self._training(tensors, finished, result)
        card = classifier_card(self.folder.name, form, training)
        save_classifier(self.folder, form, words, tensors, training=training, card=card)

    def _training(
        self, tensors: Arrays, finished: bool, result: ClassifierResult | None
    ) -> dict[str, Any]:
        layers = self._layers
        best = layers.best if layers else None
        held = (None, None) if result is None else (result.valid_figures, result.test_figures)
        valid, test = (figures.record() if figures else None for figures in held)
        return {
            "config": to_json(self.config),
            "corpus": self.corpus,
            "corpus_sha256": self.data.train.texts.sha256,
            "description": " ".join(self.corpus),
            "parameters": sum(array.size for key, array in tensors.items() if key != "ngram_keys"),
            "texts": len(self._texts.words),
            "steps": layers.step if layers else 1,
            "epochs": layers.epochs if layers else 1.0,
            "duration_seconds": self._duration(),
            "shares": best.shares if best else self._linear.shares if self._linear else [],
            "finished": finished,
            "valid": valid,
            "test": test,
        }


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
