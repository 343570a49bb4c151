"""`charlm doctor`: what this machine has, and whether a model folder is sound."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import click

from charlm.cli.choice import say_note
from charlm.cli.command import Command
from charlm.cli.completion import complete_model
from charlm.cli.options import json_option
from charlm.render.console import bold, one_line, out, talk

if TYPE_CHECKING:
    from charlm.tasks.doctor import ModelHealth
    from charlm.tasks.finding import Finding


@click.command(
    cls=Command,
    examples=[
        ("charlm doctor", "versions, processors, disk, terminal; imports torch to ask for CUDA"),
        ("charlm doctor shakespeare", "is this model whole? every file is read"),
    ],
)
@click.argument(
    "name", nargs=-1, shell_complete=complete_model, help="models to look at, by name or folder"
)
@json_option
def doctor(name: tuple[str, ...], as_json: bool) -> int:
    """Tell what this machine has, or whether a model is sound.

    Exit status 1 if there is a problem.
    """
    return _look_at_models(name, as_json) if name else _look_at_machine(as_json)


def _look_at_machine(as_json: bool) -> int:
    from charlm.render.terminal import terminal_facts
    from charlm.tasks.doctor import check_machine
    from charlm.tasks.finding import Finding

    found = check_machine()
    found += [Finding(topic="terminal", name=n, value=v) for n, v in terminal_facts()]
    problems = [finding for finding in found if finding.problem]
    if as_json:
        from charlm.render.machine import emit

        emit(_record(found, problems))
        return int(bool(problems))
    from charlm.render.tables import show_facts

    for topic in dict.fromkeys(finding.topic for finding in found):
        out(bold(topic, sys.stdout), trusted=True)
        show_facts([(one.name, one.value) for one in found if one.topic == topic], indent=2)
    for one in problems:
        talk(f"charlm: {one.topic}, {one.name}: {one.value}: {one.problem}")
    if not problems:
        out("no problems found")
    return int(bool(problems))


def _record(found: list[Finding], problems: list[Finding]) -> dict[str, object]:
    topics: dict[str, dict[str, str]] = {}
    for one in found:
        topics.setdefault(one.topic, {})[one.name] = one.value
    return {**topics, "problems": [f"{one.topic}, {one.name}: {one.problem}" for one in problems]}


def _look_at_models(names: tuple[str, ...], as_json: bool) -> int:
    from charlm.tasks.doctor import check_model

    status = 0
    for name in names:
        found = check_model(name)
        status |= int(not found.sound)
        _show_model(found, as_json)
    return status


def _show_model(found: ModelHealth, as_json: bool) -> None:
    say_note(found.note)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(found)
        del record["note"]
        emit(record)
        return
    from charlm.render.tables import plural

    verdict = "sound" if found.sound else f"damaged: {plural(len(found.faults), 'fault')}"
    out(f"{one_line(found.name)}: {verdict}")
    for fault in found.faults:
        out(f"  fault: {one_line(fault)}")
    for note in found.notes:
        out(f"  note: {one_line(note)}")
