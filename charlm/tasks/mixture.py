"""Several models opened as one, and their weights fitted on a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from charlm.base.errors import CorpusError, TaskError
from charlm.engine.language_model import LanguageModel
from charlm.engine.mixture import Mixture, fit_weights
from charlm.tasks.device import choose_device
from charlm.tasks.load import OpenModel, open_model
from charlm.tasks.scoring import score_ids
from charlm.text.corpora import open_corpus
from charlm.text.tokenizers.protocol import Tokenizer


def open_models(
    names: Sequence[str],
    weights: Sequence[float] = (),
    *,
    device: str = "cpu",
    work: float = 0.0,
) -> OpenModel:
    """Return one model, or the mixture of several.

    Args:
        names: names or folders; none means the newest model, else the bundled one.
        weights: of the models in a mixture; none means equal ones.
        device: "cuda" has recurrent models answer there; n-gram models stay on the CPU. "auto"
            takes the CPU unless there is a GPU and enough to do.
        work: how much there is to do, for "auto"; see `device.choose_device`.

    Raises:
        CheckpointError: if there is no such model, or it is damaged.
        TaskError: if models of a mixture have different tokenizers, or there is no such device.
        ValueError: if there are not as many weights as models, or one is not a positive number.
    """
    if len(names) < 2:
        return _on_device(open_model(names[0] if names else None), device, work)
    opened = [_on_device(open_model(name), device, work) for name in names]
    first = opened[0]
    for other in opened[1:]:
        if not _same_tokens(first.tokenizer, other.tokenizer):
            raise TaskError(
                f"{first.name!r} and {other.name!r} have different tokens "
                f"({_tokens(first.tokenizer)}; {_tokens(other.tokenizer)}); "
                "models of a mixture need the same tokenizer, trained on the same text"
            )
    mixture = Mixture([one.model for one in opened], weights or [1.0] * len(opened))
    return dataclasses.replace(
        first, name=_name([one.name for one in opened], mixture.weights), model=mixture
    )


def _on_device(opened: OpenModel, wanted: str, work: float) -> OpenModel:
    if wanted == "cpu" or not isinstance(opened.model, LanguageModel):
        return opened
    config = opened.model.config
    device = choose_device(wanted, config.count_parameters(), work)
    if device == "cpu":
        return opened
    from charlm.models import runtime
    from charlm.models.cuda_decode import Decoder

    tensors = opened.stored.tensors(config.tensor_shapes())
    model = Decoder(config, tensors, runtime.choose_device(device))
    return dataclasses.replace(opened, model=model)


def fit_mixture(
    opened: OpenModel, names: Sequence[str], files: Sequence[str], *, encoding_errors: str
) -> OpenModel:
    """Return the mixture with the weights under which the text of `files` is likeliest.

    Raises:
        TaskError: if it is no mixture.
        CorpusError: if the text cannot be read or is empty.
    """
    if not isinstance(opened.model, Mixture):
        raise TaskError("fitting a mixture needs two models or more: name them with -m A -m B")
    text = open_corpus(list(files), encoding_errors=encoding_errors).read()
    ids = opened.tokenizer.encode(text)
    if not len(ids):
        raise CorpusError(f"{' '.join(files)}: no tokens, need at least 1")
    parts = opened.model.models
    mixture = Mixture(parts, fit_weights([score_ids(part, ids) for part in parts]))  # type: ignore[arg-type]
    return dataclasses.replace(opened, model=mixture, name=_name(names, mixture.weights))


def _name(names: Sequence[str], weights: Sequence[float]) -> str:
    return " + ".join(f"{weight:.4g} {name}" for name, weight in zip(names, weights, strict=True))


def _same_tokens(first: Tokenizer, other: Tokenizer) -> bool:
    """Return whether two tokenizers give every text the same ids."""
    if first.config() != other.config():
        return False
    vocab, theirs = getattr(first, "vocab", None), getattr(other, "vocab", None)
    if vocab is not None and theirs is not None:  # how often each was counted is of no account
        return bool(vocab.tokens == theirs.tokens)
    return first.to_files() == other.to_files()


def _tokens(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.vocab_size:,} of {tokenizer.name}"
