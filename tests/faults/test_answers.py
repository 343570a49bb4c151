"""Faults of texts and questions (30 to 59), through the command line."""

import gzip
import json
import os
import threading
from pathlib import Path

import pytest

from charlm.cli.app import run
from charlm.text.corpora import open_corpus
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer


@pytest.fixture
def ask(capsys):
    def run_line(*argv):
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        return status, found.out, found.err

    return run_line


def count(ask, text, *options):
    Path("c.txt").write_bytes(text)
    return ask("train", "ngram", "c.txt", "-o", "made", "--overwrite", "--json", *options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"\n", "nothing but blanks; expected text to train on"),
        (b" ", "nothing but blanks; expected text to train on"),
        (b"a", "at least"),
    ],
)
def test_fault_30_a_text_too_short_is_refused(home, ask, text, said):
    status, out, err = count(ask, text)
    assert (status, out) == (1, "")
    assert err.startswith("charlm: c")
    assert said in err


def test_fault_31_a_vocabulary_of_one_symbol_is_no_nan(home, ask):
    status, out, err = count(ask, b"a" * 5000)
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["valid"]["bits_per_char"] >= 0.0
    status, out, _ = ask("score", "-m", "made", "--json", "aaa")
    assert status == 0
    assert json.loads(out)["log_prob"] <= 0.0


def test_fault_32_invalid_utf8_is_told_by_line_and_byte_or_counted(home, ask):
    text = b"one\ntw\xff\n" + b"more text\n" * 50
    status, _, err = count(ask, text)
    assert status == 1
    assert "c.txt, line 2: invalid UTF-8 at byte 6 (0xff)" in err
    status, _, err = count(ask, text, "--encoding-errors", "replace")
    assert status == 0
    assert "1 invalid byte sequences replaced by U+FFFD" in err


def test_fault_33_utf16_is_named_and_a_byte_order_mark_dropped(home, ask):
    status, _, err = count(ask, "a text\n".encode("utf-16"))
    assert status == 1
    assert "UTF-16 text; expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)" in err
    (home / "bom.txt").write_bytes(b"\xef\xbb\xbfabc\n")
    assert open_corpus(["bom.txt"]).read() == "abc\n"


def test_fault_34_line_ends_become_one_and_all_else_stays(home, ask):
    (home / "mixed.txt").write_bytes("a\r\nb\rc\nd\u2028e\x0bf\u0085g\n".encode())
    assert open_corpus(["mixed.txt"]).read() == "a\nb\nc\nd\u2028e\x0bf\u0085g\n"
    status, _, err = count(ask, b"a\0b\n" * 50)
    assert status == 1
    assert "binary (NUL byte at offset 1)" in err


@pytest.mark.parametrize("text", ["👩‍👩‍👧‍👦 e\u0301 שלום 中文", "é", "🇩🇪🇩🇪"])
def test_fault_35_no_piece_of_a_stream_ends_inside_a_character(text):
    tokenizer = train_tokenizer("byte", [text], TokenizerConfig())
    decoder = tokenizer.decoder()
    pieces = [decoder.push(i) for i in tokenizer.encode(text).tolist()]
    assert all("\ufffd" not in piece for piece in pieces)
    assert "".join(pieces) + decoder.flush() == text


def test_fault_36_text_is_neither_composed_nor_decomposed(home):
    (home / "forms.txt").write_text("\xe9 e\u0301\n", encoding="utf-8")
    assert open_corpus(["forms.txt"]).read() == "\xe9 e\u0301\n"


def test_fault_39_a_pipe_is_read_once_and_gives_the_same_text_again(home):
    os.mkfifo("pipe")

    def write():
        Path("pipe").write_text("from a pipe\n" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    corpus = open_corpus(["pipe"])
    first = corpus.read()
    writer.join()
    assert corpus.read() == first == "from a pipe\n" * 1000


def test_fault_40_folders_globs_and_compressed_files_are_read_and_binary_refused(home, ask):
    (home / "d").mkdir()
    (home / "d" / "b.txt").write_text("b\n")
    (home / "d" / "a.txt").write_text("a\n")
    (home / "d" / "c.txt.gz").write_bytes(gzip.compress(b"c\n"))
    assert open_corpus(["d"]).read() == open_corpus(["d/*"]).read() == "a\nb\nc\n"
    (home / "prog").write_bytes(b"\x7fELF\x02\x01")
    status, _, err = ask("corpus", "show", "prog")
    assert (status, err) == (1, "charlm: prog: binary (ELF); expected UTF-8 text\n")


def test_fault_41_a_file_that_vanished_is_one_line(home, ask):
    status, _, err = ask("train", "ngram", "gone.txt")
    assert (status, err) == (1, "charlm: no file or corpus 'gone.txt'\n")


def test_fault_42_a_validation_text_out_of_the_training_text_is_told(home, ask):
    status, _, err = count(ask, b"one two three\n" * 200, "--valid", "c.txt")
    assert status == 0
    assert "the validation text is part of the training text" in err


SAMPLE = ("sample", "-m", "tiny", "-n", "5", "--seed", "1")


def test_fault_44_temperature_0_is_greedy_and_what_is_none_is_refused(tiny, ask):
    one, two = (ask(*SAMPLE, "--temperature", "0", "--seed", seed)[1] for seed in "12")
    assert one == two
    for value in ("-1", "nan", "inf", "-inf", "x"):
        status, out, err = ask(*SAMPLE, f"--temperature={value}")
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_fault_45_top_k_0_is_off_and_a_negative_one_refused(tiny, ask):
    plain = ask(*SAMPLE)[1]
    assert ask(*SAMPLE, "--top-k", "0")[1] == plain
    assert ask(*SAMPLE, "--top-k", "999999")[1] == plain
    assert ask(*SAMPLE, "--top-k=-1")[0] == 2


@pytest.mark.parametrize("value", ["0", "1.1", "-0.5", "nan"])
def test_fault_46_top_p_outside_its_range_is_refused(tiny, ask, value):
    assert ask(*SAMPLE, f"--top-p={value}")[0] == 2


def test_fault_47_the_likeliest_stays_however_much_is_cut(tiny, ask):
    greedy = ask(*SAMPLE, "--temperature", "0")[1]
    for cut in ("--top-p=1e-9", "--min-p=1", "--top-k=1"):
        assert ask(*SAMPLE, cut)[1] == greedy


def test_fault_48_no_length_is_no_text(tiny, ask):
    assert ask("sample", "-m", "tiny", "-n", "0", "the")[:2] == (0, "the\n")
    assert ask("sample", "-m", "tiny", "-n", "0", "--no-prompt", "the")[1].strip() == ""
    assert ask("sample", "-m", "tiny", "-n=-1")[0] == 2


def test_fault_49_what_is_unknown_is_one_warning_or_strictly_an_error(tiny, ask):
    status, _, err = ask(*SAMPLE, "the ☃☃☃")
    assert status == 0
    assert err.count("warning") == 1
    assert ask(*SAMPLE, "--strict", "the ☃")[0] == 1


def test_fault_50_a_prompt_may_be_empty_or_long(tiny, ask):
    assert ask(*SAMPLE, "")[0] == 0
    assert ask(*SAMPLE, "--no-prompt", "the fox " * 5_000)[0] == 0


@pytest.mark.parametrize("name", ["char", "byte", "word", "bpe"])
def test_fault_51_names_of_special_tokens_in_a_text_are_plain_text(name):
    text = "a </s> b <unk> c <s> <eos> <pad>\n" * 30
    settings = TokenizerConfig(vocab_size=300 if name == "bpe" else None)
    tokenizer = train_tokenizer(name, [text], settings)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk_id is None or tokenizer.unk_id not in ids.tolist()


@pytest.mark.parametrize("line", [("models",), ("corpus", "list"), ("sample", "-m", "x")])
def test_a_home_that_is_a_file_is_no_traceback(home, ask, monkeypatch, line):
    (home / "file").write_text("in the way")
    monkeypatch.setenv("CHARLM_HOME", str(home / "file"))
    assert ask(*line)[0] in (0, 1)
