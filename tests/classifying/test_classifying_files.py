"""Labelled files in five forms: told apart, read, refused with the line named."""

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CorpusError
from charlm.classifying.formats import FORMATS, read_records, sniff_format
from charlm.classifying.tables import Columns, read_csv


def read(text, form, columns=None):
    return [tuple(one) for one in read_records("a", text, form, columns or Columns())]


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.csv", "x y\n", "csv"),
        ("a.TSV.xz", "x y\n", "tsv"),
        ("a.txt", "__label__x y\n", "fasttext"),
        ("a.txt", "\n__label__x y\tz\n", "fasttext"),
        ("a.txt", "x\ty\nx\tz\n", "tsv"),
        ("a.txt", "x\ty\nx z\n", "space"),
        ("a.txt", '"x","y"\n"x","z"\n', "csv"),
        ("a.txt", '"x";"y"\n"x";"z, a"\n', "csv"),
        ("a.txt", '"x" y, z\n', "space"),
        ("a.jsonl.gz", "x y\n", "jsonl"),
        ("a.json.bz2", "x y\n", "jsonl"),
        ("-", '\n {"text": "a b", "label": "x"}\n', "jsonl"),
        ("-", '[\n{"text": "a"}]', "jsonl"),
        ("-", "{x} [y]\n", "space"),
        ("-", "[x] y\n", "space"),
        ("-", "x y, z\n", "space"),
        ("a.txt", "", "space"),
    ],
)
def test_the_form_is_told_by_name_then_by_the_first_lines(name, text, form):
    assert sniff_format(name, text) == form


def test_lines_begin_with_the_label_and_keep_their_numbers():
    assert read("1 a  b\n\n 0   c\n1\n", "space") == [("1", "a  b", 1), ("0", "c", 3), ("1", "", 4)]


def test_a_marked_label_may_hold_any_separator_but_blanks():
    text = "__label__sci/tech,a;b a text\n__label____label__ x\n"
    assert read(text, "fasttext") == [("sci/tech,a;b", "a text", 1), ("__label__", "x", 2)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("a text", "no label at the beginning"),
        ("__label__ text", "no label at the beginning"),
        ("text __label__x", "no label at the beginning"),
        ("__label__x __label__y text", "2 labels"),
    ],
)
def test_a_line_without_one_label_is_refused(line, what):
    with pytest.raises(CorpusError) as caught:
        read(f"__label__x b\n{line}\n", "fasttext")
    assert str(caught.value) == (f"a, line 2: {what}; expected one, as __label__x before the text")


def test_csv_joins_the_other_columns_and_names_the_line_a_record_begins_in():
    text = '1,"a, ""b""","two\nlines"\n2,c,d\n'
    assert read(text, "csv") == [("1", 'a, "b" two\nlines', 1), ("2", "c d", 3)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("label;text\nx;a, b\ny;c\n", [("x", "a, b", 2), ("y", "c", 3)]),
        ('"x";"a;b"\n"y";"c"\n', [("x", "a;b", 1), ("y", "c", 2)]),
        ("x\ta, b; c\ny\td\n", [("x", "a, b; c", 1), ("y", "d", 2)]),
        ("x,a;b\ny,c;d\n", [("x", "a;b", 1), ("y", "c;d", 2)]),  # both would do: commas
    ],
)
def test_the_separator_of_csv_is_the_one_that_rows_agree_on(text, found):
    assert read(text, "csv") == found


def test_json_lines_have_a_label_and_a_text_whatever_else_they_have():
    text = (
        '{"id": 7, "text": " I like\\nit ", "label": "pos"}\n\n'
        '{"Sentiment": 0, "title": "b", "body": "c", "stars": [1]}\r\n'
        '{"class": true, "review": null}\n{"label": 1.5, "sentence": "\\ud800x"}'
    )
    assert read(text, "jsonl") == [
        ("pos", "I like\nit", 1),
        ("0", "b c", 3),
        ("true", "", 4),
        ("1.5", "\ufffdx", 5),
    ]
    line = '{"q": "a", "r": "b", "topic": "t", "kind": null}'
    assert read(line, "jsonl", Columns("topic", ("r", "q"))) == [("t", "b a", 1)]
    assert read(line, "jsonl", Columns("kind", ("q",))) == [("", "a", 1)]


@pytest.mark.parametrize(
    ("line", "columns", "message"),
    [
        (
            '{"id": 1, "text": "a"}',
            Columns(),
            "no label among the keys 'id, text'; expected one of label, category, class, labels, "
            "sentiment, target, topic, or another with --label-column",
        ),
        (
            '{"label": 1, "post": "a"}',
            Columns(),
            "no text among the keys 'label, post'; expected one of text, body, content, "
            "description, message, review, sentence, title, or another with --text-column",
        ),
        (
            '{"label": 1, "post": "a"}',
            Columns("", ("posts",)),
            "no key 'posts' in 'label, post' (did you mean 'post'?)",
        ),
        (
            '{"label": [1], "text": "a"}',
            Columns(),
            "the value of 'label' is an array; expected a text or a number",
        ),
        ("3", Columns(), "'3'; expected an object with a label and a text"),
        (
            '[{"text": "a"}]',
            Columns(),
            "JSON over several lines, or an array; expected an object a line (jq -c '.[]' FILE "
            "writes the objects of an array so)",
        ),
        (
            "x a",
            Columns(),
            "'x a' is no JSON; Expecting value: line 1 column 1 (char 0); expected an object a "
            "line",
        ),
    ],
)
def test_json_lines_that_are_none_or_lack_something_are_refused(line, columns, message):
    with pytest.raises(CorpusError) as caught:
        read(f"\n{line}\n", "jsonl", columns)
    assert str(caught.value) == f"a, line 2: {message}"


def test_json_too_deep_is_refused():
    with pytest.raises(CorpusError, match=r"a, line 1: '\[+…' is no JSON; expected an object"):
        read("[" * 100_000, "jsonl")


def test_a_header_says_which_column_is_what():
    text = "id,Text,Label\n7,hello,x\n8,there,y\n"
    assert read(text, "csv") == [("x", "hello", 2), ("y", "there", 3)]


def test_columns_by_name_and_number():
    text = "id,words,kind\n7,hello,x\n"
    assert read(text, "csv", Columns("kind", ("words", "id"))) == [("x", "hello 7", 2)]
    assert read("7\thello\tx\n", "tsv", Columns("3", ("2",))) == [("x", "hello", 1)]


def test_tsv_knows_no_quotes():
    assert read('x\t"a b\ny\tc"\n', "tsv") == [("x", '"a b', 1), ("y", 'c"', 2)]


def test_labels_with_separators_survive_csv():
    assert read('"New York, ""NY""",a\n', "csv") == [('New York, "NY"', "a", 1)]


def test_a_cell_may_be_longer_than_pythons_own_limit():
    before = csv.field_size_limit()
    (record,) = read(f"x,{'word ' * 100_000}\n", "csv")
    assert (len(record[1]), csv.field_size_limit()) == (499_999, before)


@pytest.mark.parametrize(
    ("form", "text", "columns", "message"),
    [
        (
            "csv",
            "x,a\n\nx,a,b\n",
            Columns(),
            "a, line 3: 3 columns parted by commas, expected 2 as in line 1; cells with "
            "separators in them need quotes (CSV)",
        ),
        (
            "tsv",
            "x\ta\nx\n",
            Columns(),
            "a, line 2: 1 column parted by tabs, expected 2 as in line 1; cells with separators in "
            "them need quotes (CSV)",
        ),
        (
            "csv",
            "x a\n",
            Columns(),
            "a, line 1: 1 column; expected a label and a text, parted by commas, semicolons or "
            "tabs (another form of file is said with --format)",
        ),
        (
            "csv",
            "x;a, b\ny;c\nz;d;e\n",
            Columns(),
            "a, line 3: 3 columns parted by semicolons, expected 2 as in line 1; cells with "
            "separators in them need quotes (CSV)",
        ),
        (
            "csv",
            'x;"a"\ny;"b\n',
            Columns(),
            "a, line 2: unexpected end of data; expected CSV by semicolons, quotes inside quoted "
            'cells doubled ("")',
        ),
        (
            "csv",
            'x,a\nx,"b\nc\n',
            Columns(),
            "a, line 2: unexpected end of data; expected comma-separated values, quotes inside "
            'quoted cells doubled ("")',
        ),
        (
            "csv",
            "label,text\nx,a\n",
            Columns("labell"),
            "a, line 1: no column 'labell' in label, text (did you mean 'label'?)",
        ),
        ("csv", "x,a\n", Columns("3"), "a, line 1: no column '3' in 2 columns"),
        (
            "csv",
            "x,a\n",
            Columns("1", ("1",)),
            "a, line 1: the label's column is one of the text's, too",
        ),
    ],
)
def test_malformed_tables_are_refused_with_the_line(form, text, columns, message):
    with pytest.raises(CorpusError) as caught:
        read(text, form, columns)
    assert str(caught.value) == message


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), min_size=1)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_what_csv_writes_is_read_back(rows):
    rows = [(a.strip() or "x", b.strip() or "y") for a, b in rows]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("label", "text"), *rows])
    found = read(written.getvalue(), "csv")
    assert [(label, text) for label, text, _ in found] == rows


@given(st.text(max_size=200), st.sampled_from(FORMATS))
def test_any_text_is_read_or_refused(text, form):
    with contextlib.suppress(CorpusError):
        assert all(record[2] >= 1 for record in read(text, form))


def test_where_two_separators_suit_that_with_labels_that_come_again_is_taken():
    text = "pos;I like it, really\nneg;No, never\npos;Yes, please\nneg;Bad, bad\n"
    found = list(read_csv("a", text, Columns()))
    assert [record.label for record in found] == ["pos", "neg", "pos", "neg"]
    text = "pos,one; two\nneg,three; four\npos,five; six\n"
    assert [r.label for r in read_csv("a", text, Columns())] == ["pos", "neg", "pos"]
