"""argv in, exit status out: the one place where an error becomes a message.

Exit status: 0 done, 1 failed, 2 usage, 130 Ctrl-C, 141 the reader went away, 143 SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from charlm.base.errors import CharlmError
from charlm.cli.spec import UsageError
from charlm.render.console import flush_out, is_terminal, one_line, talk

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
    except (CharlmError, MemoryError, OSError) as error:
        return _fail(error, argv, debug=debug)
    except Exception as error:
        if debug:
            return _fail(error, argv, debug=True)
        talk(f"charlm: internal error: {type(error).__name__}: {one_line(str(error))}")
        talk("charlm: run it again with --debug and report what it prints")
        return FAILED


def _dispatch(argv: list[str]) -> int:
    words = [word for word in argv if word not in ("--debug", "-v", "-vv", "--verbose")]
    if not words or words[0] in ("-h", "--help"):
        from charlm.cli.helptext import show_top_help

        show_top_help()
        return 0
    if words[0].startswith("-"):
        return _top_option(words)
    if words[0] == "help":
        return _dispatch([*words[1:], "--help"])
    return _run_command(argv, words)


def _top_option(words: list[str]) -> int:
    if words[0] in ("-V", "--version"):
        from charlm import __version__
        from charlm.render.console import out

        out(f"charlm {__version__}")
        return 0
    from charlm.cli import completion

    if words[0] == "--complete":
        return completion.answer(words[1:])
    if words[0] in ("--show-completion", "--install-completion"):
        return completion.script_command(words[0], words[1:])
    from charlm.cli.helptext import TOP_OPTIONS
    from charlm.cli.parse import unknown_option

    raise UsageError(unknown_option(words[0], [option.spelling for option in TOP_OPTIONS]))


def _run_command(argv: list[str], words: list[str]) -> int:
    from charlm.cli.index import GROUPS, find, load_command
    from charlm.cli.parse import parse

    before = argv[: argv.index(words[0])]  # -v and --debug may stand before the command
    after = argv[argv.index(words[0]) :]
    name, rest = find(after)
    if name in GROUPS:
        return _run_group(name, rest)
    command = load_command(name)
    values = parse(command, [*before, *rest])
    if values["help"]:
        from charlm.cli.helptext import show_help

        show_help(command)
        return 0
    if values["verbose"]:
        _set_up_logging(values["verbose"])
    return command.run(values)


def _run_group(name: str, rest: list[str]) -> int:
    from charlm.cli.helptext import show_group_help
    from charlm.cli.index import names_under

    if rest and rest[0] not in ("-h", "--help"):
        raise UsageError(f"no option {rest[0]!r} of charlm {name}")
    if not rest:
        raise UsageError(f"charlm {name} needs a command: {', '.join(names_under(name))}")
    show_group_help(name)
    return 0


def _fail(error: BaseException, argv: Sequence[str], *, debug: bool) -> int:
    if debug:
        import traceback

        talk("".join(traceback.format_exception(error)).rstrip())
    message = _message(error)
    if isinstance(error, UsageError):
        talk(f"charlm: {message}; see {_help_of(argv)}")
        return USAGE
    talk(f"charlm: {message}")
    if type(error).__name__ == "OutputError":
        _silence_stdout()
    return FAILED


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller model, batch or text"
    if isinstance(error, OSError) and not isinstance(error, CharlmError):
        reason = error.strerror or str(error) or type(error).__name__
        return one_line(f"{error.filename}: {reason}" if error.filename else reason)
    return one_line(str(error))


def _help_of(argv: Sequence[str]) -> str:
    from charlm.cli.index import GROUPS, INDEX

    words = [word for word in argv if not word.startswith("-")]
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in INDEX or name in GROUPS:
            return f"charlm {name} --help"
    return "charlm --help"


def _set_up_logging(verbose: int) -> None:
    import logging

    level = logging.INFO if verbose == 1 else logging.DEBUG
    logging.basicConfig(level=level, format="charlm: %(name)s: %(message)s", stream=sys.stderr)


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
