"""ARPA files: back-off by hand, there and back, and every way in which a file can be wrong."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlm.base.errors import CorpusError, TaskError
from charlm.ngram.arpa import read_arpa, write_arpa
from charlm.ngram.kneser_ney import build_ngram

LN10 = np.log(10.0)
FILE = """\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.25
-0.5\t</s>
-0.75\tthe\t-0.125
-1\tcat\t-0.5

\\2-grams:
-0.1\t<s> the\t-0.0625
-0.2\tthe cat
-0.3\tcat </s>
-0.4\tthe the

\\3-grams:
-0.05\t<s> the cat

\\end\\
"""


def read(tmp_path, text, name="lm.arpa"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_arpa(path)


def test_a_file_is_read_and_backs_off_as_written(tmp_path):
    model, tokens = read(tmp_path, FILE)
    assert tokens == ("<unk>", "<eos>", "the", "cat")
    assert (model.config.order, model.config.ngrams) == (3, (4, 4, 1))
    unk, eos, the, cat = range(4)
    scores = model.score_ids(np.array([the, cat, eos, cat, the, the, unk])) / LN10
    expected = [
        -0.1,  # <s> the
        -0.05,  # <s> the cat
        -0.3,  # cat </s>: the cat has no back-off weight
        -0.25 - 1.0,  # <s> cat was never seen, and a line begins after </s>
        -0.5 - 0.75,  # cat the
        -0.4,  # the the: cat the is no context
        -0.125 - 1.5,  # the <unk>: the the has no weight, the has
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    steps, _ = model.read(np.array([[model.bos_id, the]]), model.initial_state(1))
    np.testing.assert_allclose(steps[0, 1, unk] / LN10, -0.0625 - 0.125 - 1.5, rtol=1e-6)


@pytest.mark.parametrize("packed", [False, True])
def test_blank_lines_header_text_and_compression_are_let_be(tmp_path, packed):
    text = ("written by hand\n\n" + FILE.replace("\n\\2-", "\n\n\n\\2-")).encode()
    plain = read(tmp_path, FILE)
    name = "lm.arpa.gz" if packed else "lm.arpa"
    found = read(tmp_path, gzip.compress(text) if packed else text, name)
    assert found.tokens == plain.tokens
    for key, array in plain.model.tensors.items():
        np.testing.assert_array_equal(found.model.tensors[key], array)


def test_a_file_without_unk_and_line_ends_gives_them_next_to_nothing(tmp_path):
    model, tokens = read(tmp_path, "\\data\\\nngram 1=1\n\\1-grams:\n0 a\n\\end\\\n")
    assert tokens == ("<unk>", "<eos>", "a")
    np.testing.assert_allclose(model.score_ids(np.array([0, 1, 2])), [-100 * LN10, -100 * LN10, 0])


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 5))
def test_a_model_comes_back_as_it_was(tmp_path, ids, order):
    model = build_ngram(np.array(ids), vocab_size=5, order=order, line_end_id=1)
    names = ("<unk>", "<eos>", "a", "é", "c/d")
    write_arpa(tmp_path / "x.arpa", model, names)
    again, tokens = read_arpa(tmp_path / "x.arpa")
    assert tokens == names
    assert again.config == model.config
    for key, array in model.tensors.items():
        np.testing.assert_allclose(again.tensors[key], array, rtol=1e-6, atol=1e-7)


def test_a_written_file_says_what_the_format_asks(tmp_path):
    model = build_ngram(np.array([2, 1]), vocab_size=3, order=2, line_end_id=1)
    write_arpa(tmp_path / "x.arpa", model, ("<unk>", "<eos>", "a"))
    shown = re.sub(r"-?\d+\.\d+", "P", (tmp_path / "x.arpa").read_text())
    assert shown == (
        "\\data\\\nngram 1=4\nngram 2=2\n\n"
        "\\1-grams:\nP\t<unk>\t0\nP\t</s>\t0\nP\ta\tP\n-100\t<s>\tP\n\n"
        "\\2-grams:\nP\ta </s>\nP\t<s> a\n\n\\end\\\n"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("<unk>", "<eos>", "a b"),
            "the token 'a b' cannot stand in an ARPA file, which parts words by blanks; train with "
            "--tokenizer whitespace",
        ),
        (
            ("<unk>", "<eos>", "<s>"),
            "a token is called <s> or </s>, which mean something else in ARPA",
        ),
    ],
)
def test_tokens_that_the_format_cannot_hold_are_refused(tmp_path, names, message):
    model = build_ngram(np.array([2, 1]), vocab_size=3, order=2, line_end_id=1)
    with pytest.raises(TaskError) as caught:
        write_arpa(tmp_path / "x.arpa", model, names)
    assert str(caught.value) == message
    assert not (tmp_path / "x.arpa").exists()


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\\data\\", "data", 22, "no line \\data\\; is this an ARPA file?"),
        ("ngram 2=4", "ngram 3=4", 3, "expected 'ngram 2=COUNT', found 'ngram 3=4'"),
        ("ngram 2=4", "ngram 2=-4", 3, "expected 'ngram 2=COUNT', found 'ngram 2=-4'"),
        ("ngram 1=5\nngram 2=4\nngram 3=1\n", "", 3, "0 orders of n-grams; expected 1 to 10"),
        ("\\1-grams:", "\\2-grams:", 6, "expected \\1-grams:, found '\\\\2-grams:'"),
        (
            "ngram 1=5",
            "ngram 1=4",
            11,
            "expected \\2-grams: after 4 1-grams, found '-1\\tcat\\t-0.5'",
        ),
        (
            "ngram 1=5",
            "ngram 1=6",
            12,
            "expected a probability, 1 word and perhaps a back-off weight, found nothing",
        ),
        (
            "ngram 2=4",
            "ngram 2=999999999999",
            18,
            "expected a probability, 2 words and perhaps a back-off weight, found nothing",
        ),
        (
            "-0.2\tthe cat",
            "-0.2\tthe",
            15,
            "expected a probability, 2 words and perhaps a back-off weight, found '-0.2\\tthe'",
        ),
        ("-0.75\tthe", "0.75\tthe", 10, "the probability '0.75' is above 1 (0 in log10)"),
        ("-0.75\tthe", "x\tthe", 10, "'x' is no number"),
        (
            "-0.75\tthe",
            "nan\tthe",
            10,
            "'nan' is out of range; expected at most 1,000 either side of 0",
        ),
        (
            "the\t-0.125",
            "the\t-1e9",
            10,
            "'-1e9' is out of range; expected at most 1,000 either side of 0",
        ),
        ("-1\tcat", "-1\tthe", 11, "the word 'the' is there twice"),
        ("-1\tcat", f"-1\t{'c' * 2000}", 11, "a word of 2,000 bytes; expected at most 1,024"),
        ("the cat\n-0.3", "the dog\n-0.3", 15, "the word 'dog' is not among the 1-grams"),
        ("-0.4\tthe the", "-0.4\tthe cat", 17, "this 2-gram is there twice"),
        ("-0.4\tthe the", "-0.4\tthe <s>", 17, "<s> may only begin an n-gram"),
        ("<s> the cat", "cat the cat", 20, "the first 2 words are not among the 2-grams"),
        ("\\end\\", "", 22, "expected \\end\\ after 1 3-grams"),
    ],
)
def test_a_malformed_file_is_told_with_its_line(tmp_path, old, new, line, message):
    assert old in FILE
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, FILE.replace(old, new, 1))
    assert str(caught.value) == f"{tmp_path / 'lm.arpa'}:{line}: {message}"


def test_words_that_cannot_be_are_told_with_their_line(tmp_path):
    where = tmp_path / "lm.arpa"
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, FILE.encode().replace(b"\tcat\t", b"\t\xff\t", 1))
    assert str(caught.value) == f"{where}:11: the word '�' is no valid UTF-8"
    unigrams = "\\data\\\nngram 1=1\n\\1-grams:\n-1 <eos>\n\\end\\\n"
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, unigrams)
    assert str(caught.value) == (
        f"{where}:4: the word '<eos>' stands for the end of a line here; expected '</s>'"
    )


def test_a_file_of_one_endless_line_is_refused(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, b"x" * (2 << 20))
    assert str(caught.value) == (
        f"{tmp_path / 'lm.arpa'}:1: a line of more than 65,536 bytes; is this an ARPA file?"
    )


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read_arpa(tmp_path / "none.arpa")
    assert str(caught.value) == f"cannot read {tmp_path / 'none.arpa'}: No such file or directory"


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, len(FILE)), st.integers(0, 6), st.binary(max_size=6))
def test_altered_bytes_give_a_model_or_an_error_of_ours(tmp_path, place, removed, inserted):
    data = FILE.encode()
    try:
        model, tokens = read(tmp_path, data[:place] + inserted + data[place + removed :])
    except CorpusError:
        return
    assert np.isfinite(model.score_ids(np.arange(len(tokens)))).all()
