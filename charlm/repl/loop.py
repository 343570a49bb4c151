"""Lines in, answers out: until there are no more lines, or one says /quit."""

from __future__ import annotations

import logging
import sys
from typing import Protocol

from charlm.base.errors import CharlmError
from charlm.render.console import OutputError, flush_out, is_terminal, one_line, out, talk
from charlm.render.failures import describe, is_out_of_memory
from charlm.repl import continuing, files, labels, queries, sessions, trainings
from charlm.repl.commands import run_command
from charlm.repl.parsing import is_open, parse_line
from charlm.repl.session import Session
from charlm.repl.signals import Interrupts

# Importing them has made their commands known.
REGISTERED = (continuing, files, queries, labels, trainings, sessions)

logger = logging.getLogger(__name__)


class Reader(Protocol):
    """Where lines come from."""

    def read(self) -> str:
        """Return the next line.

        Raises:
            EOFError: if there is none.
            KeyboardInterrupt: if it was given up.
        """


def run_session(session: Session, reader: Reader) -> None:
    """Answer line after line; no error but a lost stdout ends it."""
    while not session.done:
        session.notices.show()
        try:
            text = reader.read()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.strip():
            session.lines.append(text)
            answer(session, text)


def answer(session: Session, text: str) -> None:
    """Carry out one line; what goes wrong is told in one."""
    try:
        with session.interrupts.counting():
            line = parse_line(text)
            if line.name:
                run_command(session, line.name, line.rest)
            else:
                continuing.write(session, line.rest)
        flush_out()
    except (BrokenPipeError, OutputError):
        raise
    except KeyboardInterrupt:
        talk("stopped")
    except (CharlmError, OSError, MemoryError) as error:
        logger.debug("%s", text, exc_info=True)
        talk(f"charlm: {describe(error)}")
    except Exception as error:
        logger.debug("%s", text, exc_info=True)
        if is_out_of_memory(error):
            talk(f"charlm: {describe(error)}")
        else:
            talk(f"charlm: internal error: {type(error).__name__}: {one_line(str(error))}")


class PlainReader:
    """Lines of standard input: of a script, or of a terminal that can only write lines."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._asks = is_terminal(sys.stdin) and is_terminal(sys.stdout)

    def read(self) -> str:
        """Return the next line, or the next lines from triple quotes to triple quotes."""
        text = self._next("> ")
        while is_open(text):
            text += "\n" + self._next("… ")
        return text

    def _next(self, prompt: str) -> str:
        try:
            with self._interrupts.counting():
                if self._asks:
                    out(prompt, end="")
                    flush_out()
                # Byte lines: one that is not UTF-8 must not end the session.
                line = sys.stdin.buffer.readline()
        except KeyboardInterrupt:
            if self._asks:
                out()
            raise
        if not line:
            if self._asks:
                out()
            raise EOFError
        return line.decode("utf-8", errors="replace").rstrip("\r\n")
