"""Commands that let the model write, and those that change how it does."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections import deque
from typing import Any

from charlm.base.config import settings_of
from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import flush_out, out, talk, warn
from charlm.repl.commands import ONLY_SETTINGS, Options, command
from charlm.repl.parsing import split_options, unquoted
from charlm.repl.session import KEPT_CHARS, Session, Written

_FLAGS = {name.replace("_", "-"): True for name in settings_of(SamplingConfig)}


def write(
    session: Session,
    prompt: str,
    config: SamplingConfig | None = None,
    seed: int | None = None,
    *,
    shown: str | None = None,
) -> None:
    """Let the model go on from a prompt, on stdout; Ctrl-C stops it, and what came is kept.

    Args:
        config: None takes the session's, and so does `seed`.
        shown: what is shown of the prompt; None shows all.
    """
    from charlm.render.samples import Counter, show_beam, show_stream
    from charlm.tasks.sample import read_prompt, unknown_words

    config = config or session.config
    opened = session.opened()
    seed = seed if seed is not None else session.draw_seed(config)
    session.seed = seed
    begin = read_prompt(opened, prompt)
    if begin.unknown:
        warn(unknown_words(opened, begin))
    pieces: deque[str] = deque(maxlen=KEPT_CHARS)
    counter = Counter()
    show = show_beam if config.beam_size else show_stream
    if shown is not None:
        begin = dataclasses.replace(begin, text=shown)
    try:
        with session.working():
            show(
                opened,
                begin,
                dataclasses.replace(config, seed=seed),
                counter,
                with_prompt=True,
                keep=lambda number, piece: _keep(pieces, number, piece),
            )
    except KeyboardInterrupt:
        out()
    finally:
        flush_out()
        session.speed = counter.rate() if counter.tokens else None
        text = "".join(pieces)[-KEPT_CHARS:]
        session.add_text(Written(prompt[-KEPT_CHARS:], text, seed, opened.name, config))


def _keep(pieces: deque[str], number: int, piece: str) -> None:
    if piece and number == 0:  # with several samples the first is what /more goes on with
        pieces.append(piece)


@command(
    "sample",
    "[--SETTING VALUE]… [TEXT]",
    "write on from a text, as a line without / does",
    options=_FLAGS,
)
def _sample(session: Session, rest: str, options: Options) -> None:
    write(session, rest, _with(session.config, options))


@command(
    "again",
    ONLY_SETTINGS,
    "write another text from the same beginning",
    options=_FLAGS,
)
def _again(session: Session, _: str, options: Options) -> None:
    last, config = last_text(session), _with(session.config, options)
    # Where a seed holds for every text, the next one gives another text, the same in every run.
    fixed = session.config.seed is not None and last.seed is not None and "seed" not in options
    write(session, last.prompt, config, seed=(last.seed or 0) + 1 if fixed else None)


@command(
    "more",
    "[--SETTING VALUE]… [TEXT]",
    "go on with the last text, and TEXT behind it",
    verbatim=True,
)
def _more(session: Session, rest: str, _: Options) -> None:
    last = last_text(session).whole
    options: Options = {}
    if re.match(r"--[a-z]", rest):  # other texts may well begin with two dashes
        options, rest = split_options(rest, _FLAGS)
    config = _with(session.config, options)
    write(session, last + rest, config, shown=last.rpartition("\n")[2] + rest)


@command("edit", "", "change the last text at the prompt, and go on")
def _edit(session: Session, _: str, __: Options) -> None:
    text = last_text(session).whole
    if session.draft is None:
        raise ConfigError("/edit needs a terminal; /save and /load keep texts in files")
    session.draft = f'"""{text}' if text.startswith("/") else text


@command("undo", "", "forget the last text")
def _undo(session: Session, _: str, __: Options) -> None:
    last_text(session)
    session.texts.pop()
    last = session.last
    talk(f"back at: {_shortened(last.whole)}" if last else "back at the beginning")


@command("set", "[NAME [VALUE]]", "show or change how texts are drawn", completes="setting")
def _set_setting(session: Session, rest: str, _: Options) -> None:
    name, __, value = rest.partition(" ")
    if value.strip():
        session.config = changed(session.config, name, value.strip())
        session.named.add(_field(name))
    names = [_field(name)] if name else list(settings_of(SamplingConfig))
    from charlm.render.tables import show_facts

    show_facts([(one, _shown(getattr(session.config, one))) for one in names])


@command("seed", "[NUMBER|random]", "show the last seed, or have every text drawn by one")
def _seed(session: Session, rest: str, _: Options) -> None:
    if rest:
        session.config = changed(session.config, "seed", rest)
        session.named.add("seed")
        session.seed = session.config.seed
    fixed = session.config.seed is not None
    shown = "none yet" if session.seed is None else str(session.seed)
    out(f"{shown}, for every text" if fixed else f"{shown}; another for each text")


def _with(config: SamplingConfig, options: Options) -> SamplingConfig:
    for name, value in options.items():
        config = changed(config, name, value)
    return config


def changed(config: SamplingConfig, name: str, value: str) -> SamplingConfig:
    """Return a config with one setting changed.

    Raises:
        ConfigError: for an unknown setting, or a value out of its range.
    """
    name = _field(name)
    parsed = _parsed(name, value)
    return dataclasses.replace(config, **{name: parsed})


def _field(name: str) -> str:
    wanted, known = name.replace("-", "_"), list(settings_of(SamplingConfig))
    if wanted not in known:
        near = did_you_mean(wanted, known)
        raise ConfigError(f"no setting {name[:40]!r}{near}; known: {', '.join(known)}")
    return wanted


def _parsed(name: str, value: str) -> Any:
    hint = typing.get_type_hints(SamplingConfig)[name]
    if name == "seed" and value in ("random", "none"):
        return None
    if name == "stop":
        text = unquoted(value).replace("\\n", "\n").replace("\\t", "\t")
        return () if value == "none" else (text,)
    try:
        return float(value) if hint is float else int(value)
    except ValueError:
        kind = "a number" if hint is float else "a whole number"
        raise ConfigError(f"{name} must be {kind}, got {value[:40]!r}") from None


def _shown(value: object) -> str:
    if value is None:
        return "random"
    if isinstance(value, tuple):
        return " ".join(map(repr, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def last_text(session: Session) -> Written:
    """Return the text that was written last.

    Raises:
        ConfigError: if there is none yet.
    """
    if session.last is None:
        raise ConfigError("no text yet; type how one begins")
    return session.last


def _shortened(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= 60 else f"… {shown[-60:]}"
