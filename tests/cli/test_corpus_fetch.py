"""`charlm corpus fetch` at the command line."""

import hashlib
import json

import pytest

from charlm.render.downloads import LiveDownload, PlainDownload, Rate, live_words
from charlm.tasks import fetch
from charlm.text.downloadable import DOWNLOADABLE, Download, Downloadable, Part


@pytest.fixture
def known(home, monkeypatch):
    """One corpus whose download lies here already, so that no network is asked."""
    data = b"a text\n"
    sha256 = hashlib.sha256(data).hexdigest()
    one = Download(
        urls=("https://example.invalid/a.txt",),
        size=len(data),
        sha256=sha256,
        parts=(Part(corpus="tiny", max_bytes=10),),
    )
    about = Downloadable(description="a text", licence="free", downloads=(one,))
    monkeypatch.setitem(DOWNLOADABLE, "tiny", about)
    (home / "corpora" / ".fetch").mkdir(parents=True)
    (home / "corpora" / ".fetch" / f"{sha256}.part").write_bytes(data)
    return home


def test_a_fetched_corpus_is_told_with_its_licence(charlm, known):
    status, out, err = charlm("corpus", "fetch", "tiny")
    assert (status, err) == (0, "tiny: a text; licence: free\n")
    assert out == f"fetched tiny in {known}/corpora/tiny.txt\ntry: charlm train tiny\n"
    status, out, _ = charlm("corpus", "fetch", "tiny", "-q")
    assert out.startswith("here already: tiny in ")
    assert charlm("corpus", "show", "tiny")[1].endswith("\n\na text\n")


def test_json_of_a_fetched_corpus(charlm, known):
    status, out, err = charlm("corpus", "fetch", "tiny", "--json", "-q")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["paths"] == [f"{known}/corpora/tiny.txt"]
    assert (found["name"], found["licence"], found["new"]) == ("tiny", "free", True)


def test_an_unknown_corpus_is_one_line(charlm, home):
    status, out, err = charlm("corpus", "fetch", "text9")
    assert (status, out) == (1, "")
    assert err == (
        "charlm: no corpus 'text9' to fetch (did you mean 'text8'?); known: shakespeare, ptb, "
        "wikitext-2, wikitext-103, text8, enwik8\n"
    )


def test_without_a_network_it_is_one_line(charlm, home, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    host = "https://no-such-host.invalid/a"
    part = Part(corpus="far", max_bytes=5)
    one = Download(urls=(host, host + "b"), size=5, sha256="0" * 64, parts=(part,))
    monkeypatch.setitem(
        DOWNLOADABLE, "far", Downloadable(description="d", licence="l", downloads=(one,))
    )
    real = fetch.fetch
    monkeypatch.setattr(fetch, "fetch", lambda *args, **_: real(*args, pause=0))
    status, out, err = charlm("corpus", "fetch", "far", "-q")
    assert (status, out) == (1, "")
    assert err.startswith("charlm: cannot reach no-such-host.invalid (")
    assert err.count("\n") == err.count("is there a network?") == 1


def test_a_corpus_that_can_be_fetched_is_said_where_it_is_missing(charlm, home):
    message = "charlm: no corpus 'text8' here yet; charlm corpus fetch text8 downloads it\n"
    assert charlm("corpus", "show", "text8") == (1, "", message)


def test_plain_progress_is_a_line_a_file(capsys):
    with PlainDownload() as progress:
        for have in range(0, 1001, 10):
            progress.show("a.zip", have, 1000)
    assert capsys.readouterr().err == "a.zip: 1.0 kB of 1.0 kB (100%)\n"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (5, "a.zi…"),
        (30, "a.zip: 5.0 MB of 10.0 MB (50%)"),
        (40, "a.zip: 5.0 MB of 10.0 MB (50%)  5s left"),
        (70, "━━━━━━━━━━────────── a.zip: 5.0 MB of 10.0 MB (50%)  5s left  1.0 MB/s"),
    ],
)
def test_live_progress_keeps_what_fits(columns, line):
    assert live_words("a.zip", 5_000_000, 10_000_000, 1e6, columns) == line


def test_the_rate_begins_anew_with_each_file():
    rate = Rate()
    rate.note("a", 1000, 10.0)
    rate.note("a", 5000, 12.0)
    assert rate.per_second(12.0) == 2000.0
    rate.note("b", 100, 13.0)
    assert rate.per_second(13.0) == 0.0


def test_live_progress_leaves_no_trace_in_the_result(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    with LiveDownload() as progress:
        progress.show("a.zip", 10, 10)
    assert capsys.readouterr().out == ""
