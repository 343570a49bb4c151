"""A known corpus fetched from the network and kept among the user's own."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from charlm.base.errors import CheckpointError, CorpusError
from charlm.base.registry import did_you_mean
from charlm.store.lock import FolderLock
from charlm.text.corpora import corpora_folder, list_corpora
from charlm.text.downloadable import DOWNLOADABLE, Download, Downloadable
from charlm.text.downloads import fetch
from charlm.text.unpacking import unpack

_FOLDER = ".fetch"
Watch = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A corpus that is here now; `new` tells whether it was fetched, or was here before."""

    name: str
    description: str
    licence: str
    url: str
    size_bytes: int
    sha256: str
    corpora: tuple[str, ...]
    paths: tuple[Path, ...]
    new: bool


def downloadable(name: str) -> Downloadable:
    """Return what is known of a downloadable corpus.

    Raises:
        CorpusError: if none is of this name.
    """
    found = DOWNLOADABLE.get(name)
    if found is None:
        raise CorpusError(
            f"no corpus {name!r} to fetch{did_you_mean(name, DOWNLOADABLE)}; "
            f"known: {', '.join(DOWNLOADABLE)}"
        )
    return found


def fetch_corpus(
    name: str, watch: Watch, *, overwrite: bool = False, pause: float = 1.0
) -> Fetched:
    """Fetch a corpus by name, check it, and keep its texts under `corpora/`.

    Args:
        name: one of `DOWNLOADABLE`.
        watch: told file name, bytes here and bytes in all, many times.
        overwrite: replace corpora of the same names.
        pause: seconds before a second try.

    Raises:
        CorpusError: if there is no such corpus, the network or the disk refuses, or what arrives
            is not what it should be. A part that has arrived is kept for the next try.
    """
    about = downloadable(name)
    folder = corpora_folder()
    paths = tuple(folder / f"{corpus}.txt" for corpus in about.corpora)
    if not overwrite and all(path.is_file() for path in paths):
        return _fetched(name, about, paths, new=False)
    taken = sorted(set(about.corpora) & set(list_corpora()))
    if taken and not overwrite:
        raise CorpusError(f"a corpus {taken[0]!r} is there already; --overwrite replaces it")
    try:
        _require_room(folder, about)
        with FolderLock(folder / _FOLDER):
            for download in about.downloads:
                _take(download, folder, watch, pause)
            shutil.rmtree(folder / _FOLDER, ignore_errors=True)
    except CheckpointError as error:  # of the lock
        raise CorpusError(str(error)) from error
    except OSError as error:
        raise CorpusError(f"cannot write to {folder}: {error.strerror or error}") from error
    return _fetched(name, about, paths, new=True)


def _take(download: Download, folder: Path, watch: Watch, pause: float) -> None:
    title = download.urls[0].rpartition("/")[2]
    found = fetch(
        download, folder / _FOLDER, lambda have, whole: watch(title, have, whole), pause=pause
    )
    for part in download.parts:
        unpack(found, part, folder / f"{part.corpus}.txt")


def _require_room(folder: Path, about: Downloadable) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < about.size:
        raise CorpusError(
            f"{folder} has room for {free:,} bytes, the download needs {about.size:,} and more"
        )


def _fetched(name: str, about: Downloadable, paths: tuple[Path, ...], *, new: bool) -> Fetched:
    first = about.downloads[0]
    return Fetched(
        name=name,
        description=about.description,
        licence=about.licence,
        url=first.urls[0],
        size_bytes=about.size,
        sha256=first.sha256,
        corpora=about.corpora,
        paths=paths,
        new=new,
    )
