"""Options of commands that take one model or a mixture of several, and opening them."""

from __future__ import annotations

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
    type=Word(("cpu", "cuda")),
    default="cpu",
    show_default=True,
    help="where to compute",
)


def open_mixed(
    models: tuple[str, ...], mix: tuple[float, ...] | None, device: str = "cpu"
) -> OpenModel:
    """Return the model, or the mixture; without a name say on stderr which was taken.

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
    opened = open_models(models, mix or (), device=device)
    say_note(opened.note)
    return opened
