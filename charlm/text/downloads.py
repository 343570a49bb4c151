"""Files from the network: resumed where they broke off, taken only if their checksum is right.

What has arrived lies in a file `.part`, named by the checksum of the whole, so that a second try
goes on where the first one ended, at the same address or another. Nothing that a server says is
believed: not the length, not the place where an answer begins, not the contents.

(`pooch` does not resume, and brings `requests`; the standard library has all that is needed.)
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from charlm.base.errors import CorpusError
from charlm.text.downloadable import Download

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

Watch = Callable[[int, int], None]
TIMEOUT_SECONDS = 30.0
TRIES = 4
_BLOCK = 1 << 16
_SCHEMES = ("http", "https")
_UNREACHED = "cannot reach "


class _Answer(NamedTuple):
    """An open answer: the byte it begins at, and how long the whole file is said to be."""

    stream: Any
    start: int
    total: int | None


class _BrokenOffError(Exception):
    """The connection ended, or never began; trying again may help."""


def fetch(download: Download, folder: Path, watch: Watch, *, pause: float = 1.0) -> Path:
    """Return the whole and checked file of a download, in `folder`, fetched as far as it lacks.

    Args:
        download: what to fetch.
        folder: where to keep it, also until the next try; made if missing.
        watch: told the bytes that are here and those of the whole, now and then.
        pause: seconds before a second try, doubled before each further one.

    Raises:
        CorpusError: if no address has it, or the disk refuses. What has arrived is kept, unless
            its checksum is wrong.
    """
    part = folder / f"{download.sha256}.part"
    problems = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for url in download.urls:
            try:
                _fetch_from(url, download, part, watch, pause)
                return part
            except CorpusError as error:
                problems.append(str(error))
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(f"cannot write {part}: {reason}; what has arrived is kept") from error
    told = [problem for problem in problems if not problem.startswith(_UNREACHED)]
    raise CorpusError("; ".join(told or problems[:1]))


def _fetch_from(url: str, download: Download, part: Path, watch: Watch, pause: float) -> None:
    """Complete `part` from one address, with a few tries as long as nothing comes."""
    opener, tries, fresh = _opener(), 0, False
    while not _is_whole(part, download):
        before = _size(part)
        try:
            _receive(url, opener, download, part, watch)
        except _BrokenOffError as error:
            tries = 1 if _size(part) > before else tries + 1
            if tries >= TRIES:
                raise CorpusError(_broken(url, download, part, error)) from error.__cause__
            time.sleep(pause * 2 ** (tries - 1))
            continue
        if not _is_whole(part, download):
            # A file of the right length and wrong bytes: what lay here may be to blame, once.
            part.unlink(missing_ok=True)
            if fresh or not before:
                raise CorpusError(
                    f"{url} has something else than expected: its sha256 differs; nothing was kept"
                )
            fresh = True


def _receive(
    url: str, opener: OpenerDirector, download: Download, part: Path, watch: Watch
) -> None:
    """Append to `part` what the server sends; return when it is as long as it should be."""
    have = _size(part)
    with _Opening(url, opener, have, download) as answer:
        whole = download.size if download.exact else answer.total or download.size
        total = download.size if download.exact else answer.total
        with part.open("r+b" if part.exists() else "xb") as file:
            file.truncate(answer.start)
            file.seek(answer.start)
            have = answer.start
            for block in _blocks(answer.stream):
                have += len(block)
                if have > download.max_bytes:
                    part.unlink()
                    raise CorpusError(f"{url} sends more than the {whole:,} bytes expected")
                file.write(block)
                watch(have, whole)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and have < total:
        raise _BrokenOffError("the connection was cut")


def _blocks(stream: Any) -> Iterator[bytes]:
    while True:
        try:
            block = stream.read1(_BLOCK)
        except (OSError, HTTPException) as error:
            raise _BrokenOffError(_reason(error)) from error
        if not block:
            return
        yield block


class _Opening:
    """An address to be opened from byte `have` on; a context manager that gives an `_Answer`."""

    def __init__(self, url: str, opener: OpenerDirector, have: int, download: Download) -> None:
        self.url, self.opener, self.have, self.download = url, opener, have, download

    def __enter__(self) -> _Answer:
        self.response = self._open(self.have)
        try:
            return self._placed(self.response)
        except BaseException:
            self.response.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def _open(self, have: int) -> Any:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request

        headers = {"User-Agent": "charlm", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            return self.opener.open(Request(self.url, headers=headers), timeout=TIMEOUT_SECONDS)
        except HTTPError as error:
            error.close()
            if error.code == 416 and have:  # no such place: what is here is longer than the file
                return self._open(0)
            raise self._refused(f"{error.code} {error.reason}", _may_pass(error.code)) from error
        except (URLError, OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise _BrokenOffError(_reason(reason)) from error

    def _refused(self, what: str, may_pass: bool) -> Exception:
        if may_pass:
            return _BrokenOffError(f"the server answers {what}")
        return CorpusError(f"{self.url}: the server answers {what}")

    def _placed(self, response: Any) -> _Answer:
        length = _number(response.headers.get("Content-Length"))
        start, total = 0, length
        if response.status == 206:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            if start != self.have:
                response.close()
                self.response = response = self._open(0)
                if response.status != 200:
                    raise self._refused("with another part than asked for", may_pass=False)
                start, total = 0, _number(response.headers.get("Content-Length"))
        elif response.status != 200:
            raise self._refused(f"{response.status}", may_pass=False)
        too_long = total is not None and total > self.download.max_bytes
        if too_long or (self.download.exact and total not in (None, self.download.size)):
            raise CorpusError(
                f"{self.url} has {total:,} bytes, expected {self.download.size:,}: "
                "it is not the file that charlm knows"
            )
        return _Answer(response, start, total)


def _may_pass(status: int) -> bool:
    return status >= 500 or status in (408, 429)


def _opener() -> OpenerDirector:
    """Return what opens addresses: redirected only to the web, never to a file or a mailbox."""
    from urllib.error import URLError
    from urllib.request import (
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
        HTTPHandler,
        HTTPRedirectHandler,
        HTTPSHandler,
        OpenerDirector,
        ProxyHandler,
        UnknownHandler,
    )

    class Redirects(HTTPRedirectHandler):
        max_redirections = 5

        def redirect_request(self, req: Any, *more: Any) -> Any:
            if urlsplit(more[-1]).scheme not in _SCHEMES:
                raise URLError(f"it leads on to {more[-1][:200]!r}, which is no web address")
            return super().redirect_request(req, *more)

    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _content_range(text: str) -> tuple[int, int | None]:
    """Return start and total of `bytes 5-9/10`; -1 where it says nothing sensible."""
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    start = _number(span.partition("-")[0])
    return (start if unit == "bytes" and start is not None else -1), _number(total)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _is_whole(part: Path, download: Download) -> bool:
    size = _size(part)
    if not size or (download.exact and size != download.size):
        return False
    with part.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == download.sha256


def _reason(error: object) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _broken(url: str, download: Download, part: Path, error: Exception) -> str:
    host, have = urlsplit(url).hostname, _size(part)
    if not have:
        return (
            f"{_UNREACHED}{host} ({error}); is there a network? If another machine has one: "
            f"fetch {url} there, then charlm corpus add {download.parts[0].corpus} FILE"
        )
    return (
        f"{host}: the download broke off at {have:,} of {download.size:,} bytes ({error}); "
        "what has arrived is kept, the same command goes on from there"
    )
