"""Commands about a training beside the session."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from charlm.base.errors import ConfigError
from charlm.render.console import one_line, out, talk
from charlm.repl.child import Ended, Training
from charlm.repl.commands import Options, command
from charlm.repl.session import Session
from charlm.tasks.train_events import VectorStep

_LANGUAGE_MODELS = ("lm", "ngram")
_ASKED_BY = {
    "vectors": "/neighbors WORD asks it",
    "speller": "/spell TEXT uses it",
    "tagger": "/tag TEXT uses it",
    "classifier": "/classify TEXT uses it",
}
PATIENCE_SECONDS = 0.5  # between two looks: a Ctrl-C is heeded in between


@command(
    "train",
    "[KIND] [CORPUS]… [--OPTION VALUE]…",
    "train beside the session; bare: how far is it?",
    completes="training",
)
def _train(session: Session, rest: str, _: Options) -> None:
    running = running_training(session)
    if running is not None:
        if rest:
            raise ConfigError(f"{_named(running)} is still training; /stop ends it")
        out(training_line(running, 10_000))
        return
    session.offer = ""
    session.training = Training(_arguments(rest), lambda training: _heed(session, training))
    talk("training beside the session; /stop saves and ends it")


@command("stop", "", "have the training save and end; twice: at once")
def _stop(session: Session, _: str, __: Options) -> None:
    training = running_training(session)
    if training is None:
        raise ConfigError("there is no training; /train begins one")
    if training.stopping:
        training.kill()
        training.wait(PATIENCE_SECONDS)
        return
    training.stop()
    if not training.wait(PATIENCE_SECONDS):
        talk("it saves and ends; /stop again ends it at once")


@command("wait", "", "wait for the training; Ctrl-C waits no longer")
def _wait(session: Session, _: str, __: Options) -> None:
    training = running_training(session)
    while training is not None and not training.wait(PATIENCE_SECONDS):
        pass


def running_training(session: Session) -> Training | None:
    """Return the training beside a session while it runs."""
    training = session.training
    return training if training is not None and training.running else None


def end_training(session: Session) -> None:
    """Have a training save and end, because the session does; a Ctrl-C ends it at once."""
    training = running_training(session)
    if training is None:
        return
    session.leaving = True
    try:
        if not training.stopping:
            training.stop()
        if not training.wait(PATIENCE_SECONDS):
            talk("charlm: the training saves and ends; Ctrl-C ends it at once")
        while not training.wait(PATIENCE_SECONDS):
            pass
    except KeyboardInterrupt:
        training.kill()
        training.wait(10 * PATIENCE_SECONDS)


def training_line(training: Training, columns: int) -> str:
    """Return how far a training is, as much of it as fits in one line."""
    from charlm.render.progress import live_line, vector_line, work_line
    from charlm.render.tables import columns_of, cut

    begin = f"{'stopping' if training.stopping else 'training'} {one_line(training.name)}".rstrip()
    room = columns - columns_of(begin) - 2
    if room < 12:
        return cut(begin, max(columns, 1))
    room = min(room, 80)
    if training.work is not None:
        return f"{begin}  {work_line(training.work, room)}"
    if isinstance(training.step, VectorStep):
        return f"{begin}  {vector_line(training.step, room)}"
    if training.step is not None:
        return f"{begin}  {live_line(training.step, training.valid, room)}"
    return f"{begin}  {cut(one_line(training.stage or 'preparing …'), room)}"


def _arguments(rest: str) -> list[str]:
    try:
        words = shlex.split(rest)
    except ValueError:
        raise ConfigError(f"a quote is not closed in: {one_line(rest[-40:])}") from None
    return [str(Path(word).expanduser()) if word.startswith("~/") else word for word in words]


def _heed(session: Session, training: Training) -> None:
    """Take what a training has to tell; called in its thread."""
    while training.told:
        session.notices.add(training.told.popleft())
    if not training.running:
        for is_result, text in _end(training, "charlm " if session.leaving else "/"):
            session.notices.add(text, is_result=is_result)
        if _is_to_open(training.result):
            session.offer = f"/model {training.name}"
    session.notices.changed()


def _end(training: Training, begin: str) -> Iterator[tuple[bool, str]]:
    """Yield what is to be said of a training that has ended, and whether it is a result.

    Args:
        begin: how a command line begins, where its user is.
    """
    result = training.result
    if result is not None and result.interrupted:
        yield False, f"{result.name}: stopped and saved at step {result.steps:,}"
        if training.resume:
            yield False, f"go on with: {begin}{training.resume}"
        return
    for line in training.facts.splitlines():
        if not line.startswith("try: "):
            yield True, line
        elif result is None:  # of a kind that tells no more of itself
            yield False, line.replace("charlm ", "/").replace(" -m ", " --model ")
    if result is not None:
        how = _ASKED_BY.get(result.kind, f"/model {result.name} opens it")
        yield False, f"{result.name} is trained; {how}"
    elif training.stopping and training.step is None:
        yield False, f"{_named(training)}: ended before its first step"
    elif training.stopping:
        yield False, f"{_named(training)}: ended; what it had saved is kept"
    elif training.status not in (0, 1, 2):
        yield False, f"{_named(training)}: ended with status {training.status}"


def _is_to_open(result: Ended | None) -> bool:
    return result is not None and not result.interrupted and result.kind in _LANGUAGE_MODELS


def _named(training: Training) -> str:
    return one_line(training.name) or "the training"
