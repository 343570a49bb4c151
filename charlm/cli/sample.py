"""`charlm sample`: text streams to stdout as the model makes it."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.lines import read_stdin
from charlm.cli.mixing import device_option, mix_option, models_option, open_mixed
from charlm.cli.options import config_from, json_option, options_from
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import is_terminal, talk, warn
from charlm.render.samples import Counter, show_beam, show_stream

if TYPE_CHECKING:
    from charlm.tasks.load import OpenModel
    from charlm.tasks.sample import Prompt


@click.command(
    cls=Command,
    examples=[
        ('charlm sample "def " -n 400 --temperature 0.7', "400 tokens after a prompt"),
        ("charlm sample -m shakespeare --num-samples 3 --seed 1", "three texts, always the same"),
        ('echo "Once upon" | charlm sample - --no-prompt | fmt', "in a pipe"),
    ],
)
@click.argument("prompt", default="", help="how the text begins; - reads it from stdin")
@models_option
@mix_option
@options_from(SamplingConfig, short={"max_new_tokens": "n"})
@click.option("--no-prompt", is_flag=True, help="leave the prompt out of the output")
@click.option("--strict", is_flag=True, help="fail if the model does not know a character")
@device_option
@click.option("--stats", is_flag=True, help="tell tokens a second on stderr")
@json_option
@click.pass_context
def sample(
    context: click.Context,
    /,
    prompt: str,
    models: tuple[str, ...],
    mix: tuple[float, ...] | None,
    no_prompt: bool,
    strict: bool,
    device: str,
    stats: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Let a model write.

    The text streams to stdout as it is made; the same seed gives the same text.
    """
    config = config_from(SamplingConfig, settings)
    opened = open_mixed(models, mix, device, work=_work(config))
    if len(models) < 2:
        config = _with_habits(context, config, opened)
    _warn_of_idle(context, config)
    config = _with_seed(config, tell=stats or is_terminal(sys.stderr))
    from charlm.tasks.sample import read_prompt, unknown_words

    text = read_stdin().removesuffix("\n") if prompt == "-" else prompt  # the one of `echo`
    begin = read_prompt(opened, text, strict=strict)
    if begin.unknown:
        warn(unknown_words(opened, begin))
    counter = Counter()
    if as_json:
        _print_json(opened, begin, config, counter)
    elif config.beam_size:
        show_beam(opened, begin, config, counter, with_prompt=not no_prompt)
    else:
        show_stream(opened, begin, config, counter, with_prompt=not no_prompt)
    if stats:
        talk(counter.words())


def _work(config: SamplingConfig) -> float:
    """Return how much there is to draw, see `charlm.tasks.device`.

    Beams count nothing: they are chosen on the CPU, which a GPU would wait for at every token.
    """
    from charlm.tasks.device import WORTH_DRAWING

    samples = 0 if config.beam_size else config.num_samples
    return config.max_new_tokens * samples / WORTH_DRAWING


def _with_habits(
    context: click.Context, config: SamplingConfig, opened: OpenModel
) -> SamplingConfig:
    """Return the config with what stands beside the model, where the command line says nothing."""
    from charlm.tasks.sampling_habits import read_habits

    typed = click.core.ParameterSource.COMMANDLINE
    habits = read_habits(opened.folder)
    open_ones = {n: v for n, v in habits.items() if context.get_parameter_source(n) is not typed}
    return dataclasses.replace(config, **open_ones)


# Settings that only count beside another.
_OF_DRAWS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")


def _warn_of_idle(context: click.Context, config: SamplingConfig) -> None:
    """Tell of options on the command line that have no say together with the others."""
    idle: dict[str, str] = {}
    if config.beam_size:
        idle |= dict.fromkeys((*_OF_DRAWS, "repetition_window"), "beam search draws nothing")
    else:
        idle["length_penalty"] = "only --beam-size uses it"
        if config.repetition_penalty == 1.0:
            idle["repetition_window"] = "only --repetition-penalty uses it"
    for name, why in idle.items():
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            warn(f"--{name.replace('_', '-')} does nothing here: {why}")


def _with_seed(config: SamplingConfig, *, tell: bool) -> SamplingConfig:
    """Return the config with a seed; one that was drawn here is told, to have the text again."""
    if config.seed is not None or config.beam_size or config.temperature == 0.0:
        return config
    seed = int.from_bytes(os.urandom(4), "little")
    if tell:
        talk(f"charlm: --seed {seed}")
    return dataclasses.replace(config, seed=seed)


def _print_json(
    opened: OpenModel, prompt: Prompt, config: SamplingConfig, counter: Counter
) -> None:
    from charlm.render.machine import emit
    from charlm.tasks.sample import collect_samples

    for result in collect_samples(opened, prompt, config):
        counter.tokens += result.tokens
        counter.chars += len(result.text)
        emit(dataclasses.asdict(result))
