"""From what a user writes after `--model` to a folder, with near misses in the error."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Container, Iterator
from pathlib import Path

from charlm.base.errors import CheckpointError, ConfigError
from charlm.base.registry import did_you_mean
from charlm.store.files import READ_LIMIT
from charlm.store.folder import NEXT, open_version
from charlm.store.header import parse_header
from charlm.store.manifest import CONFIG, MANIFEST

BUNDLED = Path(__file__).resolve().parent.parent / "bundled"
DEFAULT_BUNDLED = "shakespeare"
LANGUAGE_MODEL_KINDS = ("lm", "ngram")  # those that write and score texts
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_TRACES = (MANIFEST, NEXT, CONFIG, "resume")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A model folder; `how` says how it was chosen, and is empty where the user named it."""

    folder: Path
    how: str = ""


def home() -> Path:
    """Return the folder that holds `checkpoints/`: CHARLM_HOME, else the current one."""
    return Path(os.environ.get("CHARLM_HOME") or ".")


def checkpoints_dir() -> Path:
    """Return the folder that holds the user's models; it may not exist."""
    return home() / "checkpoints"


def is_valid_name(name: str) -> bool:
    """Return whether a model may have this name.

    Example:
        >>> [is_valid_name(name) for name in ("war-and-peace_2", "../x", ".hidden", "")]
        [True, False, False, False]
    """
    return _NAME.fullmatch(name) is not None


def require_valid_name(name: str) -> str:
    """Return `name` if a model may have it.

    Raises:
        ConfigError: if not.
    """
    if not is_valid_name(name):
        raise ConfigError(
            f"{name[:120]!r} is no name for a model; expected ASCII letters, digits, '.', '_' "
            "and '-', at most 100, the first a letter or digit"
        )
    return name


def find_model(
    name_or_folder: str | None, kinds: Container[str] | None = None, *, choose: str = "--model"
) -> Found:
    """Return the model folder that is meant.

    Args:
        name_or_folder: with a separator, `.` or `~`: a folder. A bare name: a model under
            `checkpoints/`, else a model folder right here, else a bundled model. None: the newest
            readable model under `checkpoints/`, else the bundled one.
        kinds: kinds that the newest may be of; None for any. A named model is not asked.
        choose: what names a model where this is asked, to be told where nobody did.

    Raises:
        CheckpointError: if there is none; the message names a near one.
    """
    if name_or_folder is None:
        return _find_newest(kinds, choose)
    if _is_path(name_or_folder):
        return Found(folder=_find_path(name_or_folder))
    own = checkpoints_dir() / name_or_folder
    if is_valid_name(name_or_folder) and own.is_dir():
        return Found(folder=own)
    if name_or_folder and not name_or_folder.startswith("."):
        # Also by a name that no new model may have: what was renamed is listed, and can be opened.
        for folder in (own, Path(name_or_folder), BUNDLED / name_or_folder):
            if _holds_model(folder):
                return Found(folder=folder)
    near = did_you_mean(name_or_folder[:120], [path.name for path in list_models()])
    advice = near or "; charlm models lists those there are"
    raise CheckpointError(f"no checkpoint {name_or_folder[:120]!r} in {_shown()}{advice}")


def _is_path(text: str) -> bool:
    separators = [sep for sep in (os.sep, os.altsep) if sep]
    return text in (".", "..") or text.startswith("~") or any(sep in text for sep in separators)


def _find_path(text: str) -> Path:
    folder, siblings = Path(text), []
    try:
        folder = folder.expanduser()
        if os.path.lexists(folder):
            return folder
        siblings = [path.name for path in folder.parent.iterdir()]
    except (OSError, RuntimeError, ValueError):  # no parent, unknown ~user, a NUL
        pass
    raise CheckpointError(f"no model folder {text!r}{did_you_mean(folder.name, siblings)}")


def _shown() -> str:
    return f"{checkpoints_dir()}{os.sep}"


def _holds_model(folder: Path) -> bool:
    return any(os.path.lexists(folder / trace) for trace in _TRACES)


def _folders(parent: Path) -> list[Path]:
    try:
        found = [path for path in parent.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(path for path in found if path.is_dir() and _holds_model(path))


def list_models() -> list[Path]:
    """Return the folders of all models, damaged ones too: the user's, then the bundled ones."""
    own = _folders(checkpoints_dir())
    names = {path.name for path in own}
    return own + [path for path in _folders(BUNDLED) if path.name not in names]


def newest_models() -> Iterator[tuple[Path, str]]:
    """Yield the folders of the user's readable models with their kinds, the newest first."""
    for folder in sorted(_folders(checkpoints_dir()), key=_saved_at, reverse=True):
        kind = _kind(folder)
        if kind is not None:
            yield folder, kind


def told_choice(folder: Path, why: str = "", *, choose: str = "--model") -> str:
    """Return how a message says which model was taken where nobody named one."""
    from charlm.store.summary import read_summary  # only here: off the way of named models

    newest = f"the newest model in {_shown()}{why}"
    state = ", not trained to its end" if read_summary(folder).unfinished else ""
    return f"using {folder.name!r}, {newest}{state} (choose with {choose})"


def _find_newest(kinds: Container[str] | None, choose: str) -> Found:
    for folder, kind in newest_models():
        if kinds is None or kind in kinds:
            return Found(folder=folder, how=told_choice(folder, choose=choose))
    fallback = BUNDLED / DEFAULT_BUNDLED
    if _holds_model(fallback) and (kinds is None or _kind(fallback) in kinds):
        how = f"using {fallback.name!r}, which comes with charlm (choose with {choose})"
        return Found(folder=fallback, how=how)
    raise CheckpointError(f"no model of this kind in {_shown()}; charlm train makes one")


def _saved_at(folder: Path) -> int:
    manifests = (folder / NEXT / MANIFEST, folder / MANIFEST)
    return max((path.lstat().st_mtime_ns for path in manifests if os.path.lexists(path)), default=0)


def _kind(folder: Path) -> str | None:
    """Return the kind of a folder's model; None where it cannot be read."""
    try:
        with open_version(folder) as version:
            return parse_header(version.read(CONFIG, READ_LIMIT), folder).kind
    except (CheckpointError, OSError):
        return None
