"""`charlm config`: the user's settings of the interactive session."""

from __future__ import annotations

import dataclasses
import os

import click

from charlm.base.config import settings_of
from charlm.base.errors import ConfigError
from charlm.cli.command import Command
from charlm.cli.options import json_option
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import talk


@click.command(
    cls=Command,
    examples=[("charlm config show", "where the settings are, and what holds")],
)
@json_option
def show(as_json: bool) -> None:
    """Show the settings of the session, and where they are kept.

    They are those of charlm repl.
    """
    from charlm.repl.settings import ReplConfig, config_path, read_settings

    settings, problem = read_settings()
    if problem:
        raise ConfigError(problem.removesuffix("; defaults are in use"))
    own = {name: getattr(settings, name) for name in settings_of(ReplConfig)}
    drawn = settings.sampling()
    sampling = {name: getattr(drawn, name) for name in settings_of(SamplingConfig)}
    if as_json:
        from charlm.render.machine import emit

        emit({"file": str(config_path()), **own, "sampling": sampling})
        return
    from charlm.render.tables import show_facts

    exists = "" if config_path().exists() else " (not there: these are the defaults)"
    rows = own | {f"sampling.{name}": value for name, value in sampling.items()}
    show_facts([("file", f"{config_path()}{exists}"), *((n, _shown(v)) for n, v in rows.items())])


@click.command(
    cls=Command,
    examples=[("EDITOR=nano charlm config edit", "a new file begins with every setting explained")],
)
def edit() -> int:
    """Open the settings of the session in your editor.

    They are those of charlm repl; the editor is that of $VISUAL or $EDITOR. Exit status 1 if
    what was written there is wrong.
    """
    from charlm.repl.settings import config_path, read_settings

    path = config_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_example(), encoding="utf-8")
    try:
        click.edit(filename=os.fspath(path))
    except click.ClickException as error:
        raise ConfigError(f"{error.message}; set EDITOR, or edit {path} yourself") from error
    _, problem = read_settings()
    if problem:
        talk(f"charlm: {problem}")
    return int(bool(problem))


def _example() -> str:
    """Return a file in which every setting is explained and none is set."""
    from charlm.repl.settings import ReplConfig

    lines = ["# Settings of charlm repl. Take the # away before those that you change."]
    for config in (ReplConfig, SamplingConfig):
        if config is SamplingConfig:
            lines += [
                "",
                "# How texts are drawn; a file NAME.toml beside the model NAME goes before.",
            ]
            lines += ["[sampling]"]
        defaults = {field.name: field.default for field in dataclasses.fields(config)}
        for name, about in settings_of(config).items():
            choices = f": {', '.join(map(str, about.choices))}" if about.choices else ""
            lines += ["", f"# {about.help}{choices}", f"# {name} = {_toml(defaults[name])}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if value is None:
        return "1"
    if isinstance(value, tuple):
        return "[]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(repr, value)) or "none"
    return "random" if value is None else str(value) or "none"
