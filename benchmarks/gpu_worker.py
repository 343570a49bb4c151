"""One process of several that `gpu.py` starts with torchrun: TEXT NAME KEY=VALUE…"""

from __future__ import annotations

import json
import sys

from charlm.base.processes import find_place
from charlm.tasks.train import train_language_model
from charlm.tasks.train_group import follow_training
from charlm.training.config import TrainConfig


def value_of(word: str) -> object:
    """Return what a word of the command line stands for: a number, or itself."""
    try:
        return json.loads(word)
    except ValueError:
        return word


def main() -> int:
    text, name, *words = sys.argv[1:]
    settings = {key: value_of(value) for key, value in (word.split("=", 1) for word in words)}
    place = find_place()
    if place is not None and not place.leads:
        return follow_training(str(settings["device"]))
    for _ in train_language_model([text], TrainConfig(**settings), name=name, overwrite=True):
        pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
