"""Shell completion: Click's scripts, installed where shells look, and names of models and corpora.

PyTorch and NumPy stay asleep while a shell waits for an answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charlm.base.errors import CharlmError
from charlm.render.console import one_line, out

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Callback = Callable[[click.Context, click.Parameter, Any], None]
VARIABLE = "_CHARLM_COMPLETE"  # by it a shell's script asks, with what Click's scripts put in it
SHELLS = ("bash", "zsh", "fish")

_HINTS = {
    "bash": "New shells with bash-completion read it; without, put `source {path}` in ~/.bashrc.",
    "zsh": "Put `fpath+=({path.parent}); autoload -U compinit; compinit` in ~/.zshrc.",
    "fish": "New shells read it.",
}


def answer(root: click.Command, asked: str) -> int:
    """Answer a shell's question and return the exit status; no error writes into its line."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(root, {}, "charlm", VARIABLE, asked)
    except (CharlmError, OSError):
        return 1


def complete_file(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem[str]]:
    """Leave it to the shell, which knows files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(text, type="file")]


def complete_model(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem[str]]:
    """Offer the models by name, or the file system after a slash."""
    if os.sep in text:
        return complete_file(ctx, param, text)
    from charlm.store.locate import list_models

    return _items(text, [(folder.name, "model") for folder in list_models()])


def complete_corpus(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem[str]]:
    """Offer the corpora by name; where none begins so, files."""
    from charlm.text.corpora import describe_corpus, list_corpora

    names = [] if os.sep in text else list_corpora()
    found = _items(text, [(name, describe_corpus(name)) for name in names])
    return found or complete_file(ctx, param, text)


def complete_downloadable(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem[str]]:
    """Offer the corpora that can be fetched."""
    from charlm.text.downloadable import DOWNLOADABLE

    return _items(text, [(name, about.description) for name, about in DOWNLOADABLE.items()])


def _items(text: str, rows: list[tuple[str, str]]) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(one_line(value), help=one_line(about))
        for value, about in rows
        if value.startswith(text)
    ]


def show_completion() -> click.Option:
    """Return the option that prints the completion script of a shell."""
    return _script_option("--show-completion", _show, "print the completion script of a shell")


def install_completion() -> click.Option:
    """Return the option that writes the script to where the shell looks for it."""
    return _script_option("--install-completion", _install, "install it for a shell")


def _script_option(spelling: str, callback: Callback, about: str) -> click.Option:
    return click.Option(
        [spelling],
        is_flag=False,
        flag_value="",  # without a value: the shell of $SHELL
        is_eager=True,
        expose_value=False,
        callback=callback,
        metavar="[bash|zsh|fish]",
        help=about,
    )


def _show(ctx: click.Context, param: click.Parameter, shell: str | None) -> None:
    if shell is None or ctx.resilient_parsing:
        return
    out(_script(ctx, _known(shell, param)), end="")
    ctx.exit()


def _install(ctx: click.Context, param: click.Parameter, shell: str | None) -> None:
    if shell is None or ctx.resilient_parsing:
        return
    shell = _known(shell, param)
    path = _place(shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_script(ctx, shell), encoding="utf-8")
    out(f"wrote {path}")
    out(_HINTS[shell].format(path=path))
    ctx.exit()


def _known(shell: str, param: click.Parameter) -> str:
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        known = ", ".join(SHELLS)
        raise click.UsageError(f"{param.opts[0]} needs a shell, one of {known}; got {name!r}")
    return name


def _script(ctx: click.Context, shell: str) -> str:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(shell)
    return kind(ctx.command, {}, "charlm", VARIABLE).source()


def _place(shell: str) -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion" / "completions" / "charlm",
        "zsh": data / "zsh" / "site-functions" / "_charlm",
        "fish": config / "fish" / "completions" / "charlm.fish",
    }[shell]
