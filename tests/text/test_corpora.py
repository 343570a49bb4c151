"""Corpora by name: pieces, joins, own and built-in ones, adding, splitting."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CorpusError
from charlm.text import builtin
from charlm.text import pieces as pieces_module
from charlm.text.corpora import (
    add_corpus,
    describe_corpus,
    list_corpora,
    open_corpus,
    repiece,
    split_tail,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@given(st.lists(st.text(alphabet="ab \n", max_size=12), max_size=12))
def test_pieces_join_to_the_text_and_end_at_line_ends(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces_module, "PIECE_CHARS", 4)
        patch.setattr(pieces_module, "MAX_PIECE_CHARS", 9)
        pieces = list(repiece(texts))
    assert "".join(pieces) == "".join(texts)
    assert all(piece.endswith("\n") or len(piece) <= 9 for piece in pieces[:-1])
    assert all(pieces)


def test_a_monster_line_is_cut_before_a_blank(monkeypatch):
    monkeypatch.setattr(pieces_module, "PIECE_CHARS", 4)
    monkeypatch.setattr(pieces_module, "MAX_PIECE_CHARS", 9)
    assert list(repiece(["one two three four"])) == ["one two", " three", " four"]
    assert list(repiece(["x" * 20])) == ["x" * 9, "x" * 9, "xx"]


def test_several_files_are_joined_at_line_ends(tmp_path):
    for name, text in {"a.txt": "no end", "b.txt": "", "c.txt": "end\n", "d.txt": "last"}.items():
        (tmp_path / name).write_text(text)
    corpus = open_corpus(["a.txt", "b.txt", "c.txt", "d.txt"])
    assert corpus.read() == "no end\nend\nlast"
    assert list(corpus.pieces()) == ["no end\nend\nlast"]
    assert corpus.name == "a-and-3-more"
    assert corpus.sha256() == hashlib.sha256(b"no end\nend\nlast").hexdigest()


def test_a_glob_is_sorted(tmp_path):
    for name in ("b.txt", "a.txt", "c.md"):
        (tmp_path / name).write_text(f"{name}\n")
    assert open_corpus(["*.txt"]).read() == "a.txt\nb.txt\n"


def test_a_folder_and_a_file_named_like_a_glob_are_paths(tmp_path):
    (tmp_path / "[x].txt").write_text("literal\n")
    assert open_corpus(["[x].txt"]).read() == "literal\n"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("shakspeare.txt", "no file or corpus 'shakspeare.txt' (did you mean 'shakespeare.txt'?)"),
        ("pyhton", "no file or corpus 'pyhton' (did you mean 'python'?)"),
        ("sub/nope", "no file or corpus 'sub/nope'"),
        ("", "no file or corpus ''"),
        ("*.nope", "no file or corpus '*.nope'"),
        ("zzz\0", "no file or corpus 'zzz\\x00'"),
    ],
)
def test_a_missing_text_offers_the_nearest(tmp_path, spec, message):
    (tmp_path / "shakespeare.txt").write_text("x")
    with pytest.raises(CorpusError) as caught:
        open_corpus([spec])
    assert str(caught.value) == message


def test_a_name_too_long_for_a_file_is_an_error():
    with pytest.raises(CorpusError, match=r"^cannot read 'xxx"):
        open_corpus(["x" * 5000])


def test_standard_input_twice_is_refused():
    with pytest.raises(CorpusError, match=r"^standard input \(-\) can be read only once$"):
        open_corpus(["-", "-"])


def test_an_unknown_error_rule_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="strict, replace, skip, got 'ignore'"):
        open_corpus(["python"], encoding_errors="ignore")


def test_an_added_corpus_is_normalised_listed_and_opened(tmp_path, home):
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfa\r\nb")
    path = add_corpus("mine", ["in.txt"])
    assert path == home / "corpora" / "mine.txt"
    assert path.read_bytes() == b"a\nb"
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.txt"]
    assert list_corpora() == ["mine", "python", "python-docs"]
    assert describe_corpus("mine") == f"own text, {path}"
    assert open_corpus(["mine"]).read() == "a\nb"
    assert open_corpus(["mine"]).name == "mine"


def test_an_own_corpus_may_be_a_folder_or_compressed(home):
    import gzip

    (home / "corpora" / "many").mkdir(parents=True)
    (home / "corpora" / "many" / "a").write_text("x\n")
    (home / "corpora" / "zipped.txt.gz").write_bytes(gzip.compress(b"y\n"))
    assert open_corpus(["many", "zipped"]).read() == "x\ny\n"
    assert list_corpora() == ["many", "zipped", "python", "python-docs"]


def test_an_existing_corpus_is_kept_unless_asked(tmp_path, home):
    (tmp_path / "in.txt").write_text("old")
    path = add_corpus("mine", ["in.txt"])
    (tmp_path / "in.txt").write_text("new")
    with pytest.raises(CorpusError) as caught:
        add_corpus("mine", ["in.txt"])
    assert str(caught.value) == (
        f"a corpus 'mine' is there already ({path}); --overwrite replaces it"
    )
    assert add_corpus("mine", ["in.txt"], overwrite=True).read_text() == "new"


def test_an_empty_text_is_not_kept(tmp_path, home):
    (tmp_path / "in.txt").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"^nothing to keep: the text is empty$"):
        add_corpus("mine", ["in.txt"])
    assert list((home / "corpora").iterdir()) == []


def test_a_built_in_name_is_taken_only_when_asked(tmp_path, home):
    (tmp_path / "in.txt").write_text("own")
    with pytest.raises(CorpusError) as caught:
        add_corpus("python", ["in.txt"])
    assert str(caught.value) == (
        "'python' is a built-in corpus; take another name (--overwrite puts yours before it)"
    )
    add_corpus("python", ["in.txt"], overwrite=True)
    assert open_corpus(["python"]).read() == "own"


def test_a_failed_addition_leaves_nothing_and_keeps_the_old(tmp_path, home):
    (tmp_path / "in.txt").write_text("old")
    path = add_corpus("mine", ["in.txt"])
    (tmp_path / "in.txt").write_bytes(b"bad \xff")
    with pytest.raises(CorpusError, match="invalid UTF-8"):
        add_corpus("mine", ["in.txt"], overwrite=True)
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.txt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("name", ["", ".x", "../x", "a/b", "a b", "é", "a\n", "x.txt", "x.gz"])
def test_bad_names_are_refused(tmp_path, name):
    with pytest.raises(CorpusError) as caught:
        add_corpus(name, ["python"])
    assert str(caught.value) == (
        f"bad corpus name {name!r}: use letters, digits, '.', '_' and '-', no dot in front, "
        "no suffix .txt, .gz, .xz or .bz2"
    )


def test_an_unknown_corpus_cannot_be_described():
    with pytest.raises(CorpusError) as caught:
        describe_corpus("pyton")
    assert str(caught.value) == (
        "no corpus 'pyton' (did you mean 'python'?); known: python, python-docs"
    )


def test_without_a_name_it_is_the_source_of_python():
    corpus = open_corpus([])
    assert corpus.name == "python"
    assert next(corpus.pieces()).count("\n") > 10_000


def test_built_in_corpora_leave_tests_and_tables_out():
    folder = builtin.stdlib_folder()
    names = {path.relative_to(folder).as_posix() for path in builtin.stdlib_files(folder)}
    assert {"argparse.py", "json/decoder.py"} <= names
    assert not [name for name in names if "/test/" in f"/{name}" or "site-packages" in name]
    assert "encodings/cp1252.py" not in names
    assert "pydoc_data/topics.py" not in names


@pytest.fixture
def small_library(tmp_path, monkeypatch):
    folder = tmp_path / "lib"
    (folder / "pydoc_data").mkdir(parents=True)
    for number in range(10):
        (folder / f"m{number}.py").write_text("x = 1\n")
    (folder / "a.py").write_bytes(
        b'"""Module doc.\n\n   Indented.\n"""\r\nclass A:\n    """A class."""\n'
        b'    if 1:\n        def f(self):\n            r"""Does\\it well."""\n'
        b"def g():\n    '''one-word'''\n"
    )
    (folder / "broken.py").write_bytes(b"def (:\xff")
    (folder / "pydoc_data" / "topics.py").write_text(
        "topics = {'a': 'Topic one.\\n\\n\\nTwo.\\n'}\n"
    )
    monkeypatch.setattr(builtin, "stdlib_folder", lambda: folder)
    return folder


@pytest.mark.usefixtures("small_library")
def test_python_docs_are_documentation_strings_and_topics():
    assert open_corpus(["python-docs"]).read() == (
        "Module doc.\n\nIndented.\n\nA class.\n\nDoes\\it well.\n\nTopic one.\n\nTwo.\n\n"
    )


@pytest.mark.usefixtures("small_library")
def test_python_is_the_readable_modules_in_order():
    text = open_corpus(["python"]).read()
    assert text.startswith('"""Module doc.')
    assert text.endswith("'''one-word'''\n" + "x = 1\n" * 10)


def test_a_python_without_sources_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "stdlib_folder", lambda: tmp_path / "python311.zip")
    with pytest.raises(CorpusError) as caught:
        open_corpus(["python"]).read()
    assert str(caught.value) == (
        "this Python has no source of its standard library in "
        f"{tmp_path / 'python311.zip'}; name a text file"
    )


def test_the_tail_of_tiny_shakespeare_begins_where_others_cut_it():
    text = "x" * 1_115_394
    assert len(split_tail(text, 0.1, exact=True)[0]) == 1_003_854 == int(0.9 * 1_115_394)


@given(st.text(alphabet="ab \n", max_size=80), st.integers(0, 99))
def test_a_split_loses_nothing_and_cuts_no_word(text, percent):
    head, tail = split_tail(text, percent / 100, exact=False)
    assert head + tail == text
    exact_head, _ = split_tail(text, percent / 100, exact=True)
    assert len(exact_head) == len(text) * (100 - percent) // 100
    assert len(head) >= len(exact_head)
    if len(head) > len(exact_head):
        assert head[-1] in " \n"


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("ab cd\nef gh\n", "ab cd\n"),
        ("ab cd ef gh ij", "ab cd ef "),
        ("abcdefghij", "abcde"),
        ("abcd\nefghi", "abcd\n"),
        ("a " + "x" * 9000 + " b", "a " + "x" * 4500),
        ("", ""),
    ],
)
def test_the_cut_moves_to_a_line_start_or_a_blank(text, head):
    cut_at = split_tail(text, 0.5, exact=False)[0]
    assert cut_at[: len(head)] == head[: len(cut_at)]
    if len(text) < 100:
        assert cut_at == head


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_out_of_range_is_a_mistake_of_the_caller(fraction):
    with pytest.raises(ValueError, match=r"fraction must be in \[0, 1\)"):
        split_tail("text", fraction, exact=True)


def test_reading_twice_gives_the_same(tmp_path):
    letters = random.Random(1).choices("ab \n", k=3_000_000)
    (tmp_path / "big.txt").write_text("".join(letters))
    corpus = open_corpus(["big.txt"])
    assert list(corpus.pieces()) == list(corpus.pieces())
    assert max(map(len, corpus.pieces())) <= 2 << 20
