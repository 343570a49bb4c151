"""Downloads from a local server that does all that servers do."""

import hashlib
import http.server
import io
import threading
import zipfile
from contextlib import contextmanager

import pytest

from charlm.base.errors import CorpusError
from charlm.tasks import fetch as tasks_fetch
from charlm.text.downloadable import DOWNLOADABLE, Download, Downloadable, Part
from charlm.text.downloads import fetch
from charlm.text.unpacking import unpack

TEXT = b"".join(b"line %d of a text\n" % i for i in range(20_000))


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.data` in the way that the last part of the path names."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        getattr(self, f"serve_{self.path.strip('/')}")(self.server.data)

    def begin(self, status, length, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def start(self):
        return int((self.headers.get("Range") or "bytes=0-")[6:-1])

    def ranged(self, data, most=None):
        start = self.start()
        if start >= len(data):
            self.begin(416, 0)
            return
        status = 206 if start else 200
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.begin(status, len(data) - start, **({"Content_Range": span} if start else {}))
        self.wfile.write(data[start:] if most is None else data[start : start + most])

    def serve_good(self, data):
        self.ranged(data)

    def serve_cuts_off(self, data):
        """Ends after 100,000 bytes, each time."""
        self.ranged(data, most=100_000)

    def serve_cuts_at_once(self, data):
        """Promises all, sends a little on the first request and nothing later."""
        self.ranged(data, most=50_000 if not self.start() else 0)

    def serve_ignores_range(self, data):
        self.begin(200, len(data))
        self.wfile.write(data)

    def serve_cuts_and_ignores_range(self, data):
        self.begin(200, len(data))
        first = len(self.server.requests) == 1
        self.wfile.write(data[:100_000] if first else data)

    def serve_wrong_range(self, data):
        """Answers any range with a part that begins elsewhere."""
        if not self.start():
            self.ranged(data, most=None if len(self.server.requests) > 1 else 1000)
            return
        self.begin(206, 10, Content_Range=f"bytes 5-14/{len(data)}")
        self.wfile.write(data[5:15])

    def serve_nonsense_range(self, data):
        if not self.start():
            self.ranged(data, most=None if len(self.server.requests) > 1 else 1000)
            return
        self.begin(206, 10, Content_Range="bytes x-y/z")
        self.wfile.write(data[5:15])

    def serve_too_long(self, data):
        self.begin(200, len(data) + 10)
        self.wfile.write(data + b"0123456789")

    def serve_endless(self, data):
        self.begin(200, None)
        try:
            while True:
                self.wfile.write(data)
        except OSError:
            return

    def serve_claims_more(self, data):
        """Says the right length in the header of HTTP, but sends more without end."""
        self.begin(200, None, Content_Type="text/plain")
        self.wfile.write(data + b"more")

    def serve_negative(self, data):
        self.begin(200, "-5")
        self.wfile.write(data)

    def serve_wrong(self, data):
        self.begin(200, len(data))
        self.wfile.write(data[:-1] + b"!")

    def serve_missing(self, data):
        self.begin(404, 0)

    def serve_busy(self, data):
        """Refuses twice, then serves."""
        if len(self.server.requests) < 3:
            self.begin(503, 0)
        else:
            self.ranged(data)

    def serve_moved(self, data):
        self.begin(302, 0, Location="/good")

    def serve_to_a_file(self, data):
        self.begin(302, 0, Location="file:///etc/passwd")

    def serve_to_ftp(self, data):
        self.begin(302, 0, Location="ftp://localhost/x")

    def serve_round(self, data):
        self.begin(302, 0, Location="/round")

    def serve_steers(self, data):
        self.wfile.write(b"HTTP/1.0 404 \x1b]0;gotcha\x07\r\n\r\n")

    def serve_garbage(self, data):
        self.wfile.write(b"\x00\x01\x02 no HTTP at all\r\n\r\n")

    def log_message(self, *_):
        return


@contextmanager
def serving(data):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.data, server.requests = data, []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving(TEXT) as (found, address):
        found.address = address
        yield found


def download(server, *ways, exact=True, data=TEXT, **changes):
    values = {
        "urls": tuple(f"{server.address}/{way}" for way in ways),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "parts": (Part(corpus="c", max_bytes=len(data)),),
        "exact": exact,
    }
    return Download(**{**values, **changes})


def nothing(*_):
    return


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("way", "requests"),
    [
        ("good", 1),
        ("cuts_off", 5),
        ("ignores_range", 1),
        ("cuts_and_ignores_range", 2),
        ("wrong_range", 3),
        ("nonsense_range", 3),
        ("busy", 3),
        ("moved", 2),
        ("negative", 1),
    ],
)
def test_a_file_arrives_whole_whatever_the_server_does(server, tmp_path, way, requests, exact):
    found = fetch(download(server, way, exact=exact), tmp_path / "new", nothing, pause=0)
    assert found.read_bytes() == TEXT
    assert len(server.requests) == requests
    assert [path.name for path in (tmp_path / "new").iterdir()] == [found.name]


def test_a_download_that_broke_off_goes_on_where_it_ended(server, tmp_path):
    with pytest.raises(CorpusError, match="broke off at 50,000 of "):
        fetch(download(server, "cuts_at_once"), tmp_path, nothing, pause=0)
    server.requests.clear()
    seen = []
    fetch(download(server, "good"), tmp_path, lambda *now: seen.append(now), pause=0)
    assert server.requests == [("/good", "bytes=50000-")]
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert [have for have, _ in seen] == sorted(have for have, _ in seen)


def test_a_whole_file_is_not_fetched_again(server, tmp_path):
    fetch(download(server, "good"), tmp_path, nothing)
    fetch(download(server, "good"), tmp_path, nothing)
    assert len(server.requests) == 1


@pytest.mark.parametrize("junk", [b"junk", b"x" * len(TEXT), b"x" * (len(TEXT) + 9)])
def test_what_lay_there_and_is_something_else_is_thrown_away(server, tmp_path, junk):
    wanted = download(server, "good")
    (tmp_path / f"{wanted.sha256}.part").write_bytes(junk)
    assert fetch(wanted, tmp_path, nothing, pause=0).read_bytes() == TEXT


BROKEN = (
    "127.0.0.1: the download broke off at 50,000 of {size} bytes (the connection was cut); what "
    "has arrived is kept, the same command goes on from there"
)
UNREACHED = (
    "cannot reach 127.0.0.1 ({reason}); is there a network? If another machine has one: fetch "
    "{url} there, then charlm corpus add c FILE"
)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("cuts_at_once", BROKEN),
        (
            "too_long",
            "{url} has {longer} bytes, expected {size}: it is not the file that charlm knows",
        ),
        ("endless", "{url} sends more than the {size} bytes expected"),
        ("claims_more", "{url} sends more than the {size} bytes expected"),
        ("wrong", "{url} has something else than expected: its sha256 differs; nothing was kept"),
        ("missing", "{url}: the server answers 404 Not Found"),
        ("garbage", UNREACHED.replace("{reason}", "\x00\x01\x02 no HTTP at all\r\n")),
        (
            "to_ftp",
            UNREACHED.replace(
                "{reason}", "it leads on to 'ftp://localhost/x', which is no web address"
            ),
        ),
    ],
)
def test_what_is_no_such_file_is_told_and_refused(server, tmp_path, way, message):
    wanted = download(server, way)
    with pytest.raises(CorpusError) as error:
        fetch(wanted, tmp_path, nothing, pause=0)
    known = {"url": wanted.urls[0], "size": f"{len(TEXT):,}", "longer": f"{len(TEXT) + 10:,}"}
    assert str(error.value) == message.format(**known)
    kept = [path.stat().st_size for path in tmp_path.iterdir()]
    assert kept == ([50_000] if way == "cuts_at_once" else [])


@pytest.mark.parametrize("way", ["to_a_file", "round"])
def test_no_server_leads_to_a_file_or_in_circles(server, tmp_path, way):
    with pytest.raises(CorpusError, match="the server answers 302 "):
        fetch(download(server, way), tmp_path, nothing, pause=0)


def test_the_next_address_goes_on_where_the_first_one_broke_off(server, tmp_path):
    wanted = download(server, "cuts_at_once", "missing", "good")
    assert fetch(wanted, tmp_path, nothing, pause=0).read_bytes() == TEXT
    assert server.requests[-2:] == [("/missing", "bytes=50000-"), ("/good", "bytes=50000-")]


def test_without_a_network_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    wanted = Download(
        urls=("http://no-such-host.invalid/a.zip",),
        size=5,
        sha256="0" * 64,
        parts=(Part(corpus="a", max_bytes=5),),
    )
    with pytest.raises(CorpusError) as error:
        fetch(wanted, tmp_path, nothing, pause=0)
    message = str(error.value)
    assert message.startswith("cannot reach no-such-host.invalid (")
    assert message.endswith(
        "); is there a network? If another machine has one: fetch "
        "http://no-such-host.invalid/a.zip there, then charlm corpus add a FILE"
    )


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped(other=b"x"), "there is no wanted in the zip file"),
        (b"no zip file", "wanted: damaged zip file (File is not a zip file)"),
        (zipped(wanted=b"\0" * 1_000_000), "wanted has more than 1,000 bytes"),
    ],
)
def test_a_zip_file_gives_one_bounded_member_or_an_error(tmp_path, data, message):
    source, target = tmp_path / "a.zip", tmp_path / "a.txt"
    source.write_bytes(data)
    target.write_text("old")
    with pytest.raises(CorpusError) as error:
        unpack(source, Part(corpus="a", member="wanted", max_bytes=1000), target)
    assert str(error.value) == message
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "a.zip"]


def test_a_climbing_member_is_written_nowhere(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    source = inside / "a.zip"
    source.write_bytes(
        zipped(**{"..__evil.txt": b"evil", "__etc__evil": b"evil", "wanted": b"good"})
    )
    unpack(source, Part(corpus="a", member="wanted", max_bytes=10), inside / "a.txt")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt")) == [
        "in/a.txt"
    ]
    assert (inside / "a.txt").read_bytes() == b"good"


@pytest.fixture
def known(server, home, monkeypatch):
    """A registry of one corpus of two texts, in a zip file."""
    data = zipped(d__train=TEXT, d__valid=b"held out\n")
    server.data = data
    parts = (
        Part(corpus="tiny", member="d/train", max_bytes=len(TEXT)),
        Part(corpus="tiny-valid", member="d/valid", max_bytes=100),
    )
    files = download(server, "cuts_off", data=data, parts=parts)
    about = Downloadable(description="two texts", licence="free", downloads=(files,))
    monkeypatch.setitem(DOWNLOADABLE, "tiny", about)
    return server


def test_a_fetched_corpus_is_there_by_name(known, home):
    found = tasks_fetch.fetch_corpus("tiny", nothing, pause=0)
    assert (found.new, found.corpora) == (True, ("tiny", "tiny-valid"))
    folder = home / "corpora"
    assert sorted(path.name for path in folder.iterdir()) == ["tiny-valid.txt", "tiny.txt"]
    assert (folder / "tiny.txt").read_bytes() == TEXT
    count = len(known.requests)
    assert tasks_fetch.fetch_corpus("tiny", nothing).new is False
    assert len(known.requests) == count
    assert tasks_fetch.fetch_corpus("tiny", nothing, overwrite=True, pause=0).new is True


def test_a_corpus_of_the_users_is_not_replaced(known, home):
    (home / "corpora").mkdir()
    (home / "corpora" / "tiny-valid.txt").write_text("mine\n")
    with pytest.raises(CorpusError, match=r"^a corpus 'tiny-valid' is there already; --overwrite"):
        tasks_fetch.fetch_corpus("tiny", nothing, pause=0)
    assert (home / "corpora" / "tiny-valid.txt").read_text() == "mine\n"
    assert known.requests == []


def test_two_fetches_at_once_do_not_mix(known, home):
    from charlm.store.lock import FolderLock

    with (
        FolderLock(home / "corpora" / ".fetch"),
        pytest.raises(CorpusError, match=r"\.fetch is in use by process \d+ on "),
    ):
        tasks_fetch.fetch_corpus("tiny", nothing, pause=0)


def test_a_disk_that_refuses_is_one_line(known, home):
    (home / "corpora").write_text("a file in the way")
    with pytest.raises(CorpusError, match=r"^cannot write to .*corpora: "):
        tasks_fetch.fetch_corpus("tiny", nothing, pause=0)


def test_a_disk_too_small_is_told_before(known, home, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 7, 3))
    with pytest.raises(CorpusError, match=r"has room for 3 bytes, the download needs "):
        tasks_fetch.fetch_corpus("tiny", nothing, pause=0)
    assert known.requests == []


def test_every_known_download_is_pinned_and_bounded():
    names = [corpus for about in DOWNLOADABLE.values() for corpus in about.corpora]
    assert len(names) == len(set(names))
    assert list(DOWNLOADABLE) == [
        "shakespeare",
        "ptb",
        "wikitext-2",
        "wikitext-103",
        "text8",
        "enwik8",
    ]
    for name, about in DOWNLOADABLE.items():
        assert about.corpora[0] == name
        assert about.licence
        for one in about.downloads:
            assert len(bytes.fromhex(one.sha256)) == 32
            assert one.urls[0].startswith("https://")
            assert all(part.max_bytes > 0 for part in one.parts)
