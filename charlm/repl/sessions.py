"""Commands about the session itself: its model, its lines, its help, its end."""

from __future__ import annotations

import re

from charlm.render.console import one_line, out
from charlm.repl.asking import open_writer
from charlm.repl.commands import COMMANDS, Options, command, find_command
from charlm.repl.parsing import unquoted, whole_number
from charlm.repl.session import Session

_OPTIONS = re.compile(r"\[--[^\]]*\]…? ?")  # /help COMMAND tells of them


@command("model", "[NAME]", "show the model, or open another", completes="model")
def _model(session: Session, rest: str, _: Options) -> None:
    if rest:
        session.use(open_writer(unquoted(rest)))  # an error leaves the old one in place
    opened = session.opened()
    about = f"{opened.stored.kind}, {opened.tokenizer.name}, {opened.tokenizer.vocab_size:,} tokens"
    out(f"{opened.name}: {about}")


@command("models", "", "list the models")
def _models(_: Session, __: str, ___: Options) -> None:
    from charlm.render.models import show_models
    from charlm.tasks.models import list_summaries

    summaries = list_summaries()
    if summaries:
        show_models(summaries)
    else:
        out("no models yet; charlm train makes one")


@command("history", "[NUMBER]", "list the latest lines of this session")
def _history(session: Session, rest: str, _: Options) -> None:
    number = whole_number(rest or "20", "NUMBER")
    for line in list(session.lines)[-number:]:
        out(one_line(line))


@command("help", "[COMMAND]", "list the commands, or tell of one", completes="command")
def _help(_: Session, rest: str, __: Options) -> None:
    if rest:
        found = find_command(rest.removeprefix("/"))
        out(f"/{found.name} {found.usage}".rstrip())
        out(f"  {found.help}")
        if found.options:
            out(f"  options: {', '.join(f'--{one}' for one in found.options)}")
        return
    from charlm.render.tables import show_facts

    rows = [
        (f"/{one.name} {_OPTIONS.sub('', one.usage)}".rstrip(), one.help)
        for one in COMMANDS.values()
    ]
    show_facts(rows)
    out("Other lines are texts to go on with. Ctrl-C stops the model, Ctrl-D leaves.")
    out("Tab completes, → takes grey text, Ctrl-R searches, Alt-Enter adds a line.")


@command("quit", "", "leave, as Ctrl-D does")
def _quit(session: Session, _: str, __: Options) -> None:
    session.done = True
