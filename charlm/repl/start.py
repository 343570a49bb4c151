"""The beginning of a session: its settings, its model, and how it reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from charlm.render.console import is_terminal, talk
from charlm.repl.loop import PlainReader, run_session
from charlm.repl.session import CompleteLine, Session
from charlm.repl.settings import ReplConfig, read_settings
from charlm.repl.trainings import end_training


def start(
    model: str | None,
    *,
    keep_history: bool | None = None,
    transcript: str | None = None,
    complete_training: CompleteLine | None = None,
) -> None:
    """Run a session on the standard streams until it is left.

    Args:
        model: a name or folder; None takes the newest, else the bundled one.
        keep_history: whether lines are kept; None takes what the settings say.
        transcript: a file to which texts are appended; None takes what the settings say.
        complete_training: what `charlm train` takes, for completion.

    Raises:
        CheckpointError: if no model has that name.
    """
    from charlm.store.locate import find_model

    if model is not None:
        find_model(model)  # a wrong name is told at once; what is wrong inside, when it is asked
    settings, problem = read_settings()
    if problem:
        talk(f"charlm: warning: {problem}")
    session = Session(model, settings.sampling())
    session.complete_training = complete_training or session.complete_training
    if place := transcript or settings.transcript:
        from charlm.repl.transcript import Transcript

        session.heed_text = Transcript(Path(place).expanduser()).add
    kept = settings.history if keep_history is None else keep_history
    with session.interrupts.caught():
        try:
            _run(session, settings, kept)
        finally:
            with session.interrupts.counting():
                end_training(session)
            session.close()


def _run(session: Session, settings: ReplConfig, keep_history: bool) -> None:
    if not _draws():
        run_session(session, PlainReader(session.interrupts))
        return
    from charlm.repl.keys import hidden_keys
    from charlm.repl.prompt import Prompt

    with hidden_keys():
        run_session(session, Prompt(session, settings, keep_history=keep_history))


def _draws() -> bool:
    """Return whether there is a terminal that can do more than write line after line."""
    term = os.environ.get("TERM", "")
    return is_terminal(sys.stdin) and is_terminal(sys.stdout) and term not in ("", "dumb")
