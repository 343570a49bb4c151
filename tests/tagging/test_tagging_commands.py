"""`charlm train tagger`, `charlm tag` and `charlm evaluate` as a user meets them."""

import json

import pytest

from tests.tagging.conftest import columns, conllu, sentences


@pytest.fixture
def pos(train):
    assert train("train.tsv", "-o", "pos")[0] == 0


def test_training_tells_its_figures(train):
    status, out, err = train("train.conllu", "--valid", "train.conllu", "--json", "-o", "t")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert list(record) == [
        "name", "kind", "parameters", "steps", "epochs", "duration_seconds", "tokens_per_second",
        "device", "valid",
    ]  # fmt: skip
    assert (record["name"], record["kind"], record["steps"]) == ("t", "tagger", 108)
    assert record["epochs"] == pytest.approx(12.0)
    assert record["valid"]["accuracy"] == 1.0
    assert record["valid"]["words"] == 144


def test_words_in_lines_out(charlm, pos):
    status, out, err = charlm("tag", "-m", "pos", stdin=b"I like apples.\n\nyou saw Paris\n")
    assert (status, err) == (0, "")
    assert out.split("\n")[:2] == ["I/PRON like/VERB apples/NOUN ./PUNCT", ""]
    assert out.count("\n") == 3


def test_json_conllu_and_lines_of_words(charlm, pos):
    _, out, _ = charlm("tag", "-m", "pos", "--json", "I like apples .", "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"tokens": ["I", "like", "apples", "."], "tags": ["PRON", "VERB", "NOUN", "PUNCT"]},
        {"tokens": [], "tags": []},
    ]
    _, out, _ = charlm("tag", "-m", "pos", "--input", "words", "I don't .")
    assert [piece.split("/")[0] for piece in out.split()] == ["I", "don't", "."]
    _, out, _ = charlm("tag", "-m", "pos", "--conllu", "I like")
    assert out == "1\tI" + "\t_" * 7 + "\tTag=PRON\n2\tlike" + "\t_" * 7 + "\tTag=VERB\n\n"


def test_conllu_is_filled_in_and_all_else_kept(charlm, train, home):
    assert train("train.conllu", "-o", "u")[0] == 0
    text = conllu(sentences()[:2]).replace("PRON", "_").replace("VERB", "_")
    status, out, _ = charlm("tag", "-m", "u", "--input", "conllu", "--conllu", stdin=text.encode())
    assert (status, out) == (0, conllu(sentences()[:2]))


def test_colours_on_request(charlm, pos, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, out, _ = charlm("tag", "-m", "pos", "I like")
    assert out == "\x1b[35mI\x1b[0m\x1b[2m/PRON\x1b[0m \x1b[31mlike\x1b[0m\x1b[2m/VERB\x1b[0m\n"


def test_evaluation_tells_each_tag_and_unknown_words_apart(charlm, pos, home):
    rows = [*sentences(), [("I", "PRON"), ("zebras", "X"), ("saw", "NOUN")]]
    (home / "test.tsv").write_text(columns(rows))
    status, out, err = charlm("evaluate", "test.tsv", "-m", "pos", "--json")
    record = json.loads(out)
    assert status == 0
    assert err == (
        "charlm: warning: 1 words of test.tsv have tags that pos has never seen; they count as "
        "wrong\n"
    )
    assert record["words"] == 147
    assert (record["unknown_words"], record["unknown_tags"]) == (1, 1)
    assert record["accuracy"] == pytest.approx(145 / 147)
    assert record["known_accuracy"] == pytest.approx(145 / 146)
    assert record["unknown_accuracy"] == 0.0
    assert record["sentence_accuracy"] == pytest.approx(36 / 37)
    noun = record["tags"]["NOUN"]
    assert (noun["recall"], noun["gold"]) == (36 / 37, 37)
    assert noun["predicted"] * noun["precision"] == 36
    status, out, _ = charlm("evaluate", "test.tsv", "-m", "pos")
    assert "accuracy     98.64% of 147 words\n" in out
    assert "unknown      0.00% of 1 words\n" in out


def test_files_of_either_form_measure_a_tagger(charlm, train, home):
    assert train("train.conllu", "--column", "xpos", "-o", "x")[0] == 0
    (home / "lower.tsv").write_text((home / "train.tsv").read_text().replace("NOUN", "noun"))
    _, out, _ = charlm("evaluate", "train.conllu", "-m", "x", "--json")
    assert json.loads(out)["accuracy"] == 1.0
    _, out, _ = charlm("evaluate", "lower.tsv", "-m", "x", "--json")
    assert json.loads(out)["tags"]["noun"]["f1"] == 1.0


def test_conllu_without_a_model_measures_the_newest_tagger(charlm, train):
    assert train("train.conllu", "-o", "u")[0] == 0
    status, out, err = charlm("evaluate", "train.conllu", "--json")
    assert (status, json.loads(out)["model"]) == (0, "u")
    assert err.startswith("charlm: using 'u', the newest model in ")
    status, _, err = charlm("evaluate", "train.conllu", "--cache")
    assert status == 2
    assert err.startswith("charlm: --cache is for other models; CoNLL-U measures taggers; try: ")


def test_bio_labels_get_a_crf_and_span_figures(charlm, train):
    assert train("names.txt", "-o", "ner")[0] == 0
    _, out, _ = charlm("tag", "-m", "ner", "--json", "Anna Smith saw Paris")
    assert json.loads(out)["spans"] == [
        {"label": "PER", "start": 0, "end": 2},
        {"label": "LOC", "start": 3, "end": 4},
    ]
    _, out, _ = charlm("evaluate", "names.txt", "-m", "ner", "--json")
    record = json.loads(out)
    assert record["span_f1"] == 1.0
    assert list(record["spans"]) == ["all", "LOC", "PER"]
    _, out, _ = charlm("show", "ner", "--json")
    assert json.loads(out)["model"]["crf"] is True


def test_a_long_sentence_is_tagged_whole(charlm, pos):
    line = " ".join(["I like apples"] * 20_000).encode()
    status, out, err = charlm("tag", "-m", "pos", "--json", stdin=line + b"\n")
    assert (status, err) == (0, "")
    assert len(json.loads(out)["tags"]) == 60_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "charlm: bad.tsv: no sentence; expected CoNLL-U, or word TAB tag\n"),
        ("a\tX\nb\tX\n", "charlm: bad.tsv: a single tag, 'X'; there is nothing to learn\n"),
        ("a\tX\nb\n", "charlm: bad.tsv, line 2: 1 columns, expected 2 as in the lines before\n"),
        ("a\t_\nb\t_\n", "charlm: bad.tsv: every tag is _: column 'upos' is not annotated\n"),
    ],
)
def test_annotated_text_that_teaches_nothing_is_refused(train, home, text, message):
    (home / "bad.tsv").write_text(text)
    assert train("bad.tsv") == (1, "", message)
    assert not (home / "checkpoints").exists()


def test_prose_is_neither_tagged_as_conllu_nor_measured_on(charlm, home, pos):
    found = charlm("tag", "-m", "pos", "--input", "conllu", stdin=b"I like apples .\n")
    assert found == (1, "", "charlm: standard input, line 1: no tab in 'I like apples .'; expected "
                     "CoNLL-U, 10 columns parted by tabs\n")  # fmt: skip
    (home / "prose.txt").write_text("\nI like apples .\n")
    assert charlm("evaluate", "prose.txt", "-m", "pos") == (
        1,
        "",
        "charlm: prose.txt, line 2: '.', read as the tag of 'I', is none of pos's tags, nor is any "
        "other in the file; expected CoNLL-U, or a word and its tag a line (NOUN, PRON, PROPN, "
        "PUNCT, VERB)\n",
    )


def test_usage_is_told(charlm, pos):
    assert charlm("train", "tagger")[0] == 2
    assert charlm("train", "tagger", "train.tsv", "--max-time", "soon")[0] == 2
    assert charlm("tag", "--json", "--conllu", "-m", "pos", "a")[0] == 2
    assert charlm("tag", "--input", "conllu", "-m", "pos", "a")[0] == 2
    status, _, err = charlm("evaluate", "train.tsv", "-m", "pos", "--dynamic")
    assert status == 2
    assert err.startswith("charlm: --dynamic is for other models; pos is a tagger; try: ")


def test_without_a_tagger_it_is_told_how_to_make_one(charlm, home):
    status, _, err = charlm("tag", "I like apples")
    assert status == 1
    assert err.startswith("charlm: no tagger yet; charlm train tagger makes one of annotated text")


def test_columns_without_a_model_measure_the_newest_where_it_is_a_tagger(charlm, pos, home):
    status, out, err = charlm("evaluate", "train.tsv", "--json")
    assert (status, json.loads(out)["accuracy"]) == (0, 1.0)
    assert err == (
        f"charlm: using 'pos', the newest model in {home}/checkpoints/ that suits train.tsv "
        "(choose with --model)\n"
    )
    (home / "prose.txt").write_text("I like apples.\nYou saw cars, too.\n")
    status, out, err = charlm("evaluate", "prose.txt", "--json")
    assert (status, json.loads(out)["model"]) == (0, "shakespeare")
    assert err == "charlm: using 'shakespeare', which comes with charlm (choose with --model)\n"
