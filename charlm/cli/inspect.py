"""`charlm inspect`: what goes on inside a recurrent model as it reads a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from charlm.cli.choice import say_note
from charlm.cli.command import Command
from charlm.cli.lines import read_stdin
from charlm.cli.options import json_option, model_option

if TYPE_CHECKING:
    from charlm.tasks.inspect_reading import Reading

_text_argument = click.argument("text", help="the text; - reads all of stdin")
_layer_option = click.option(
    "--layer", type=click.IntRange(1), metavar="N", help="one layer, from 1 (default: all)"
)


@click.command(
    cls=Command,
    examples=[
        (
            'charlm inspect gradients "To be, or not to be"',
            "how far back does the last loss reach?",
        ),
        ("charlm inspect gradients -m my-rnn - < essay.txt", "in an RNN it fades within steps"),
    ],
)
@_text_argument
@model_option
@_layer_option
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="how many tokens back to look at most",
)
@json_option
def gradients(text: str, model: str | None, layer: int | None, steps: int, as_json: bool) -> None:
    """Show how far back in time the last token's loss reaches.

    Bars are the norms of d loss / d h, the hidden state after each token, and for an LSTM of
    d loss / d c, the cell. JSON is an object for each layer and state: layer, state, target, nll,
    tokens (the first is "", the beginning of a text), norms, decay (what a step back multiplies a
    norm by, the geometric mean).
    """
    reading = _read(model, text)
    from charlm.tasks.inspect_gradients import inspect_gradients

    found = inspect_gradients(reading, layer=layer, steps=steps)
    if not as_json:
        from charlm.render.inspect_bars import show_gradients

        show_gradients(found)
        return
    shared = {"target": found.target, "nll": found.nll, "tokens": found.tokens}
    for one in found.reaches:
        _emit(
            {"layer": one.layer, "state": one.state, **shared, "norms": one.norms,
             "decay": one.decay}
        )  # fmt: skip


@click.command(
    cls=Command,
    examples=[
        ("charlm inspect neurons - < essay.txt", "which units know of lines, quotes, brackets?"),
        ("charlm inspect neurons --unit 17 - < essay.txt", "the text coloured by one unit"),
    ],
)
@_text_argument
@model_option
@click.option(
    "--layer",
    type=click.IntRange(1),
    metavar="N",
    help="one layer, from 1 (default: all; with --unit the last)",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="K",
    help="how many units for each trait of the text",
)
@click.option("--unit", type=click.IntRange(1), metavar="I", help="show what one unit does")
@json_option
@click.pass_context
def neurons(
    ctx: click.Context,
    text: str,
    model: str | None,
    layer: int | None,
    top: int,
    unit: int | None,
    as_json: bool,
) -> None:
    """Find units that follow something simple, or watch one.

    Correlated are states (of an LSTM tanh of the cell) with the position in the line and in the
    word, quotes, brackets, capitals, digits, punctuation and white space, where the spread (the
    standard deviation) is 0.05 or more. JSON is an object a line: trait, layer, unit, correlation,
    deviation; with --unit layer, unit, token, state.
    """
    if unit is not None and ctx.get_parameter_source("top") is not _DEFAULT:
        raise click.UsageError("--top and --unit exclude each other")
    reading = _read(model, text)
    if unit is None:
        _show_matches(reading, layer, top, as_json)
    else:
        _show_unit(reading, layer, unit, as_json)


_DEFAULT = click.core.ParameterSource.DEFAULT


def _show_matches(reading: Reading, layer: int | None, top: int, as_json: bool) -> None:
    from charlm.tasks.inspect_neurons import inspect_neurons

    found = inspect_neurons(reading, layer=layer, top=top)
    if not as_json:
        from charlm.render.inspect import show_matches

        show_matches(found)
        return
    for one in found.matches:
        _emit(
            {"trait": one.trait, "layer": one.layer, "unit": one.unit,
             "correlation": one.correlation, "deviation": one.deviation}
        )  # fmt: skip


def _show_unit(reading: Reading, layer: int | None, unit: int, as_json: bool) -> None:
    from charlm.tasks.inspect_neurons import inspect_unit

    found = inspect_unit(reading, unit=unit, layer=layer)
    if not as_json:
        from charlm.render.inspect_text import show_unit

        show_unit(reading.texts, found, cell=reading.network.config.cell)
        return
    for index, state in enumerate(found.states):
        _emit({"layer": found.layer, "unit": unit, "token": reading.token(index), "state": state})


@click.command(
    cls=Command,
    examples=[
        ('charlm inspect gates "To be, or not to be"', "what does it keep, and when?"),
        ("charlm inspect gates --json - < essay.txt", "an object for each layer and gate"),
    ],
)
@_text_argument
@model_option
@_layer_option
@json_option
def gates(text: str, model: str | None, layer: int | None, as_json: bool) -> None:
    """Show how open the gates are, and how often saturated.

    Shares are of values below 0.1 and above 0.9, over all units and tokens; digits under the text
    are means over the units. JSON is an object for each layer and gate: layer, gate, mean,
    left_saturated, right_saturated, per_token (token, mean).
    """
    reading = _read(model, text)
    from charlm.tasks.inspect_gates import inspect_gates

    found = inspect_gates(reading, layer=layer)
    if not as_json:
        from charlm.render.inspect import show_gate_table
        from charlm.render.inspect_text import show_gates_over

        show_gate_table(found)
        show_gates_over(reading.texts, found)
        return
    for one in found:
        means = [
            {"token": reading.token(index), "mean": mean}
            for index, mean in enumerate(one.per_token)
        ]
        _emit(
            {"layer": one.layer, "gate": one.gate, "mean": one.mean, "left_saturated": one.left,
             "right_saturated": one.right, "per_token": means}
        )  # fmt: skip


def _read(model: str | None, text: str) -> Reading:
    from charlm.tasks.inspect_reading import open_recurrent, read_text

    opened = open_recurrent(model)
    say_note(opened.note)
    return read_text(opened, read_stdin().removesuffix("\n") if text == "-" else text)


def _emit(record: dict[str, Any]) -> None:
    from charlm.render.machine import emit

    emit(record, flush=False)
