"""argv in, exit status out: the one place where an error becomes a message.

Exit status: 0 done, 1 failed, 2 usage, 130 Ctrl-C, 141 the reader went away, 143 SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from charlm.base.errors import CharlmError
from charlm.render.console import OutputError, flush_out, is_terminal, one_line, talk
from charlm.render.failures import describe, is_out_of_memory

FAILED, USAGE, INTERRUPTED, NO_READER = 1, 2, 130, 141


def main(argv: Sequence[str]) -> NoReturn:
    """Run `argv` as a program: streams set up first, flushed and checked last."""
    _open_streams()
    status = run(argv)
    _leave(status)


def run(argv: Sequence[str]) -> int:
    """Carry out a command line in this process and return its exit status."""
    debug = "--debug" in argv
    try:
        status = _dispatch(list(argv))
        flush_out()
        return status
    except BrokenPipeError:
        _silence_stdout()
        return NO_READER
    except KeyboardInterrupt:
        if is_terminal(sys.stderr):
            talk("")  # the shell's prompt begins a line of its own
        return INTERRUPTED
    except (CharlmError, click.UsageError, MemoryError, OSError) as error:
        return _fail(error, debug=debug)
    except Exception as error:
        if debug or is_out_of_memory(error):
            return _fail(error, debug=debug)
        talk(f"charlm: internal error: {type(error).__name__}: {one_line(str(error))}")
        talk("charlm: run it again with --debug and report what it prints")
        return FAILED


def _dispatch(argv: list[str]) -> int:
    from charlm.cli.completion import VARIABLE, answer
    from charlm.cli.root import ROOT

    if VARIABLE in os.environ:
        return answer(ROOT, os.environ[VARIABLE])
    # Not Click's main: it has its own ways with Ctrl-C, closed pipes and full disks.
    try:
        with ROOT.make_context("charlm", argv) as context:
            return ROOT.invoke(context) or 0
    except click.exceptions.Exit as done:
        return done.exit_code


def _fail(error: BaseException, *, debug: bool) -> int:
    if debug:
        import traceback

        talk("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, click.UsageError):
        page = error.ctx.command_path if error.ctx else "charlm"
        talk(f"charlm: {one_line(_usage(error))}; try: {page} --help")
        return USAGE
    talk(f"charlm: {describe(error)}")
    if isinstance(error, OutputError):
        _silence_stdout()
    return FAILED


def _usage(error: click.UsageError) -> str:
    """Return what is wrong with the command line, in the words of all our messages."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"no command {error.command_name!r}{_near(error.possibilities)}{_known(error)}"
    if isinstance(error, click.NoSuchOption):
        return f"no option {error.option_name!r}{_near(error.possibilities)}"
    message = error.format_message()
    known = _known(error) if message == "Missing command." else ""
    return (message[:1].lower() + message[1:]).removesuffix(".") + known


def _known(error: click.UsageError) -> str:
    group = error.ctx.command if error.ctx else None
    return f"; known: {', '.join(group.commands)}" if isinstance(group, click.Group) else ""


def _near(names: Sequence[str] | None) -> str:
    return f" (did you mean {names[0]!r}?)" if names else ""


def _open_streams() -> None:
    """Make the three standard streams usable, whatever the shell closed or set."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: no file that is opened later may take its number
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Lead stdout to nowhere, so that the interpreter's own flush at exit has no more to say."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _leave(status: int) -> NoReturn:
    if "torch" in sys.modules:
        # Tearing torch down takes 0.4 s; everything of ours is saved and closed by now.
        import logging

        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                status = status or FAILED
        os._exit(status)
    sys.exit(status)
