"""Options of commands that take one model or a mixture of several, and opening them."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.choice import say_note
from charlm.cli.completion import complete_model
from charlm.cli.options import Word

if TYPE_CHECKING:
    from charlm.tasks.load import OpenModel


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers between commas: `0.7,0.3`."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the numbers, or say which is none."""
        if isinstance(value, tuple):
            return value
        found = []
        for word in str(value).split(","):
            try:
                number = float(word)
            except ValueError:
                number = float("nan")
            if not abs(number) < float("inf"):
                self.fail(f"{word!r} is no number; write numbers with commas between them")
            found.append(number)
        return tuple(found)


NUMBERS = Numbers()

models_option = click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_model,
    help="name or folder of the model (default: the newest, else the bundled one); "
    "several make a mixture",
)
mix_option = click.option(
    "--mix",
    type=NUMBERS,
    default=None,
    metavar="WEIGHTS",
    help="weights of the models in a mixture, as 0.7,0.3 (default: equal)",
)
device_option = click.option(
    "--device",
    type=Word(("auto", "cpu", "cuda")),
    default="auto",
    show_default=True,
    help="where to compute; auto takes a GPU where there is one and enough to do",
)


def scoring_work(texts: Iterable[str], files: Iterable[str] = ()) -> float:
    """Return how much there is to score: given texts, files, and a standard input that is a file.

    What comes through a pipe is not known before it is there, and counts nothing; nor does what a
    GPU had better not hold.
    """
    from charlm.tasks.device import MOST_SCORED, WORTH_SCORING

    sizes = [len(text) for text in texts]
    for name in files:
        with contextlib.suppress(OSError, ValueError):
            sizes.append(Path(name).stat().st_size)
    with contextlib.suppress(OSError, ValueError):
        found = os.fstat(sys.stdin.fileno())
        sizes += [found.st_size] if not sizes and stat.S_ISREG(found.st_mode) else []
    return sum(sizes) / WORTH_SCORING if sum(sizes) <= MOST_SCORED else 0.0


def open_mixed(
    models: tuple[str, ...],
    mix: tuple[float, ...] | None,
    device: str = "cpu",
    *,
    work: float = 0.0,
) -> OpenModel:
    """Return the model, or the mixture; without a name say on stderr which was taken.

    Args:
        models, mix: as they were given.
        device: of `device_option`.
        work: how much there is to do; see `charlm.tasks.device`.

    Raises:
        click.UsageError: if the weights do not fit the models.
    """
    from charlm.tasks.mixture import open_models

    if mix is not None and len(mix) != max(len(models), 1):
        count = "1 weight" if len(mix) == 1 else f"{len(mix)} weights"
        raise click.UsageError(
            f"--mix gives {count} for {len(models)} named with -m; give one a model"
        )
    if mix is not None and min(mix) <= 0.0:
        raise click.UsageError(f"--mix must be numbers above 0, got {min(mix):g}")
    opened = open_models(models, mix or (), device=device, work=work)
    say_note(opened.note)
    return opened
