"""Shell completion: words before the cursor in, candidates out; torch and NumPy stay asleep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from charlm.cli.index import GROUPS, INDEX, find, load_command, names_under, top_level
from charlm.cli.spec import COMMON, Command, Option, UsageError
from charlm.render.console import flush_out, one_line, out

Candidate = tuple[str, str]
SHELLS = ("bash", "zsh", "fish")

_SCRIPTS = {
    "bash": r"""_charlm() {
    local IFS=$'\n' cur="${COMP_WORDS[COMP_CWORD]}"
    local found
    found=$(charlm --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
    if [ "$found" = "<files>" ]; then
        compopt -o default 2>/dev/null
        COMPREPLY=()
    else
        COMPREPLY=($(compgen -W "$found" -- "$cur"))
    fi
}
complete -F _charlm charlm
""",
    "zsh": r"""#compdef charlm
_charlm() {
    local -a found
    local value help
    while IFS=$'\t' read -r value help; do
        if [[ $value == "<files>" ]]; then _files; return; fi
        found+=("${value//:/\\:}:$help")
    done < <(charlm --complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe charlm found
}
compdef _charlm charlm
""",
    "fish": r"""function __charlm_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (charlm --complete $words[2..-1] 2>/dev/null)
    if test "$found[1]" = "<files>"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c charlm -f -a '(__charlm_complete)'
""",
}


def answer(words: Sequence[str]) -> int:
    """Write the candidates for the last of `words`, one a line with its help after a tab."""
    for value, help_text in candidates(words):
        out(f"{one_line(value)}\t{one_line(help_text)}" if help_text else one_line(value))
    return 0


def candidates(words: Sequence[str]) -> list[Candidate]:
    """Return what the last word may become; `<files>` means: whatever files there are.

    Example:
        >>> candidates(["sam"])
        [('sample', 'let a model write')]
        >>> candidates(["corpus", "a"])
        [('add', 'keep a text of your own as a corpus')]
    """
    *before, current = words or [""]
    if not before:
        return _starting(current, _top_candidates())
    if before[0] in GROUPS and len(before) == 1:
        group = before[0]
        rows = [(name, INDEX[f"{group} {name}"].summary) for name in names_under(group)]
        return _starting(current, rows)
    try:
        name, rest = find(before)
        command = load_command(name)
    except (UsageError, KeyError):
        return []
    return _inside(command, rest, current)


def _top_candidates() -> list[Candidate]:
    rows = []
    for name in top_level():
        summary = INDEX[name].summary if name in INDEX else f"{', '.join(names_under(name))}"
        rows.append((name, summary))
    return [*rows, ("--help", "show help"), ("--version", "show the version")]


def _inside(command: Command, rest: Sequence[str], current: str) -> list[Candidate]:
    options = (*command.options, *COMMON)
    asked = _waiting(options, rest)
    if asked is not None:
        return _values(asked.complete, asked.values, current)
    if current.startswith("--") and "=" in current:
        spelling, _, value = current.partition("=")
        for option in options:
            if option.spelling == spelling:
                found = _values(option.complete, option.values, value)
                return [(f"{spelling}={word}", text) for word, text in found]
        return []
    if current.startswith("-"):
        return _starting(current, _option_rows(options))
    for argument in command.arguments:
        if argument.complete:
            return _values(argument.complete, (), current)
    return []


def _option_rows(options: Sequence[Option]) -> list[Candidate]:
    rows = [(option.spelling, option.help) for option in options]
    return rows + [
        (f"--no-{option.spelling[2:]}", option.help) for option in options if option.negatable
    ]


def _waiting(options: Sequence[Option], rest: Sequence[str]) -> Option | None:
    """Return the option whose value comes next, if the last word before the cursor is one."""
    if not rest:
        return None
    for option in options:
        if option.kind is not bool and rest[-1] in (option.spelling, f"-{option.short}"):
            return option
    return None


def _values(what: str, fixed: Sequence[str], current: str) -> list[Candidate]:
    if fixed:
        return _starting(current, [(word, "") for word in fixed])
    if os.sep in current or what == "file":
        return [("<files>", "")]
    if what == "model":
        return _starting(current, _model_names())
    if what == "corpus":
        return _starting(current, _corpus_names()) or [("<files>", "")]
    return []


def _model_names() -> list[Candidate]:
    from charlm.store.locate import list_models

    return [(folder.name, "model") for folder in list_models()]


def _corpus_names() -> list[Candidate]:
    from charlm.text.corpora import describe_corpus, list_corpora

    return [(name, describe_corpus(name)) for name in list_corpora()]


def _starting(current: str, rows: Sequence[Candidate]) -> list[Candidate]:
    return [row for row in rows if row[0].startswith(current)]


def script_command(option: str, words: Sequence[str]) -> int:
    """Print or install the completion script of the shell that is named, or of `$SHELL`."""
    shell = words[0] if words else Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise UsageError(f"{option} needs a shell, one of {', '.join(SHELLS)}; got {shell!r}")
    if option == "--show-completion":
        out(_SCRIPTS[shell], end="")
        flush_out()
        return 0
    path = _place(shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_SCRIPTS[shell], encoding="utf-8")
    out(f"wrote {path}")
    out(_HINTS[shell].format(path=path))
    return 0


_HINTS = {
    "bash": "New shells with bash-completion read it; without, put `source {path}` in ~/.bashrc.",
    "zsh": "Put `fpath+=({path.parent}); autoload -U compinit; compinit` in ~/.zshrc.",
    "fish": "New shells read it.",
}


def _place(shell: str) -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion" / "completions" / "charlm",
        "zsh": data / "zsh" / "site-functions" / "_charlm",
        "fish": config / "fish" / "completions" / "charlm.fish",
    }[shell]
