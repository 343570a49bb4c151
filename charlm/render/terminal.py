"""What the terminal, or what stands in its place, can show."""

from __future__ import annotations

import locale
import os
import sys

from charlm.render.console import is_terminal, wants_color, width


def terminal_facts() -> list[tuple[str, str]]:
    """Return what is known of the three standard streams, in pairs of name and value."""
    streams = (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr))
    facts = [(name, _stream(stream)) for name, stream in streams]
    columns = width(sys.stdout) or width(sys.stderr)
    facts.append(("columns", str(columns) if columns else "no limit"))
    facts.append(("colour", "yes" if wants_color(sys.stdout) else "no"))
    names = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LANG", "LC_ALL")
    facts += [(name, os.environ[name]) for name in names if os.environ.get(name)]
    facts.append(("locale", f"{locale.getpreferredencoding(False)} preferred"))
    return facts


def _stream(stream: object) -> str:
    if stream is None:
        return "closed"
    what = "terminal" if is_terminal(stream) else "pipe or file"  # type: ignore[arg-type]
    return f"{what}, {getattr(stream, 'encoding', None) or 'no encoding'}"
