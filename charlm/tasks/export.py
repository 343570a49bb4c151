"""Models in the forms of other programs: ARPA files, PyTorch's names, word vectors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import to_json
from charlm.base.errors import ConfigError, TaskError
from charlm.store.manifest import MANIFEST
from charlm.store.tensors import write_tensors
from charlm.tasks.load import OpenModel, open_model

if TYPE_CHECKING:
    from charlm.engine.language_model import LanguageModel

Arrays = dict[str, npt.NDArray[Any]]
SUFFIXES = {"arpa": ".arpa", "torch": ".safetensors"}
OF_KIND = {"ngram": "arpa", "lm": "torch"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What was written where; `form` is `arpa` or `torch`, `size` in bytes."""

    model: str
    file: str
    form: str
    size: int
    note: str = dataclasses.field(default="", repr=False)


def export_model(
    name: str | None = None,
    target: str | None = None,
    *,
    form: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a language model or an n-gram model as a file that other programs read.

    Args:
        name: of the model, or its folder; None takes the newest of either kind.
        target: the file; None names it after the model, in the current folder.
        form: `arpa` or `torch`; None takes the one of the model's kind.

    Raises:
        CheckpointError: if there is no such model, it is damaged, or the disk refuses.
        ConfigError: if the file exists, or the form is that of another kind.
        TaskError: if the form has no place for such a model.
    """
    opened = open_model(name)
    kind = opened.stored.kind
    own = OF_KIND[kind]
    if form not in (None, own):
        raise ConfigError(f"{opened.name} is of kind {kind!r}, whose form is {own}; got {form}")
    path = Path(target) if target is not None else Path(f"{opened.name}{SUFFIXES[own]}")
    if target == "-" or (path.exists() and not path.is_file()):
        raise ConfigError(f"{path} is no file to write to; name one")
    if (path.parent / MANIFEST).exists():
        raise ConfigError(f"{path.parent} holds a model; write to another folder")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists; add --overwrite to replace it, or name another file")
    if own == "arpa":
        _write_arpa(opened, path)
    else:
        _write_torch(opened, path)
    return Exported(
        model=opened.name,
        file=str(path),
        form=own,
        size=path.stat().st_size,
        note=opened.note,
    )


def _tokens(opened: OpenModel) -> list[str]:
    return [opened.tokenizer.token(number) for number in range(opened.tokenizer.vocab_size)]


def _write_arpa(opened: OpenModel, path: Path) -> None:
    from charlm.ngram.arpa import write_arpa
    from charlm.ngram.model import NgramModel

    assert isinstance(opened.model, NgramModel)
    write_arpa(path, opened.model, _tokens(opened))


def _write_torch(opened: OpenModel, path: Path) -> None:
    from charlm.engine.language_model import LanguageModel

    assert isinstance(opened.model, LanguageModel)
    about = {
        "format": "pt",
        "config": json.dumps(to_json(opened.model.config)),
        "tokens": json.dumps(_tokens(opened)),
    }
    stored = opened.stored.tensors(opened.model.config.tensor_shapes())
    write_tensors(path, torch_tensors(opened.model, stored), about)


def torch_tensors(model: LanguageModel, stored: Arrays) -> Arrays:
    """Return a model's weights as modules of PyTorch name them.

    `embedding` is an `nn.Embedding` whose last row stands for the beginning of a text; `lstm`,
    `gru` or `rnn` the module of that name with all layers; `projection` an `nn.Linear` without a
    bias, where there is one; `output` an `nn.Linear`.

    Args:
        model: of any cell.
        stored: its tensors, by the names of `tensor_shapes`.

    Raises:
        TaskError: if PyTorch has no module for it.
    """
    config = model.config
    if config.skip and config.num_layers > 1:
        raise TaskError("PyTorch's layers have no skip connections; this model has")
    if config.cell == "gru" and config.reset == "before":
        raise TaskError("PyTorch's GRU resets after the product (--reset after), this one before")
    found: Arrays = {"embedding.weight": stored["embedding.weight"]}
    for layer in range(config.num_layers):
        parts = {
            name: stored[f"layers.{layer}.{name}"] for name in ("weight_ih", "weight_hh", "bias")
        }
        inner = np.zeros_like(parts["bias"])
        if f"layers.{layer}.bias_hn" in stored:
            inner[2 * config.hidden_size :] = stored[f"layers.{layer}.bias_hn"]
        module = config.cell  # which is what PyTorch calls them, too
        found |= {
            f"{module}.weight_ih_l{layer}": parts["weight_ih"],
            f"{module}.weight_hh_l{layer}": parts["weight_hh"],
            f"{module}.bias_ih_l{layer}": parts["bias"],
            f"{module}.bias_hh_l{layer}": inner,
        }
    if config.has_projection:
        found["projection.weight"] = stored["projection.weight"]
    tied = stored["embedding.weight"][: config.vocab_size]
    found["output.weight"] = tied if config.tie_weights else stored["output.weight"]
    found["output.bias"] = stored["output.bias"]
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in found.items()}
