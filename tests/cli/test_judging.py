"""What score, rank and evaluate print, on tiny models."""

import json
import math
import xml.etree.ElementTree as ElementTree

import pytest

from charlm.cli.lines import stdin_batches
from charlm.tasks.load import open_model
from charlm.tasks.scoring import score_batch

VOCAB = 31


@pytest.fixture
def two(tiny, save_tiny):
    """A home with the models `tiny` and `flat`, which is uniform."""
    save_tiny(tiny / "checkpoints" / "flat", uniform=True)
    return tiny


def lines_of(out):
    return [json.loads(line) for line in out.splitlines()]


def test_the_likeliest_of_several_texts_is_marked(charlm, two):
    _, out, _ = charlm("score", "-m", "flat", "fox", "the fox", "dog")
    assert [line[43:] for line in out.splitlines()] == ["text", "★ fox", "  the fox", "★ dog"]


def test_tokens_tell_rank_and_alternatives(charlm, two):
    _, out, _ = charlm("score", "-m", "tiny", "--tokens", "--json", "fox")
    for item in json.loads(out)["per_token"]:
        assert set(item) == {"token", "text", "log_prob", "rank", "alternatives"}
        best = item["alternatives"]
        assert [other["log_prob"] for other in best] == sorted(
            (other["log_prob"] for other in best), reverse=True
        )
        assert item["rank"] >= 1
        if item["rank"] <= 3:
            assert best[item["rank"] - 1]["token"] == item["token"]
            assert best[item["rank"] - 1]["log_prob"] == pytest.approx(item["log_prob"], abs=1e-4)


def test_empty_lines_have_empty_results_in_their_place(charlm, two):
    _, out, _ = charlm("score", "-m", "flat", "--json", stdin=b"fox\n\n\ndog\n")
    assert [(line["text"], line["tokens"]) for line in lines_of(out)] == [
        ("fox", 3), ("", 0), ("", 0), ("dog", 3),
    ]  # fmt: skip


def test_order_is_kept_over_batches(charlm, two):
    lines = [f"{'fox ' * (n % 7)}{n}" for n in range(3_000)]
    _, out, _ = charlm("score", "-m", "tiny", "--json", stdin="\n".join(lines).encode())
    assert [line["text"] for line in lines_of(out)] == lines


def test_nul_and_escapes_are_text(charlm, two):
    _, out, _ = charlm("score", "-m", "flat", "--json", stdin=b"a\0b\x1b[31m\n")
    (found,) = lines_of(out)
    assert (found["text"], found["tokens"]) == ("a\0b\x1b[31m", 8)


def test_lines_are_read_as_they_come(monkeypatch):
    parts = iter([b"one\ntw", b"o\nthr", b"ee", b""])

    class Pipe:
        isatty = staticmethod(lambda: False)

        @property
        def buffer(self):
            return self

        def read1(self, size):
            return next(parts)

    monkeypatch.setattr("sys.stdin", Pipe())
    assert list(stdin_batches()) == [["one"], ["two"], ["three"]]


def test_a_dash_means_standard_input_for_lists_too(charlm, two):
    lists = b"the fox\nfox the\n\na dog\n"
    plain = charlm("rank", "-m", "tiny", "--json", stdin=lists)
    assert charlm("rank", "-", "-m", "tiny", "--json", stdin=lists) == plain
    assert len(plain[1].splitlines()) == 3


def test_heatmap_shows_numbers_in_a_pipe(charlm, two):
    status, out, _ = charlm("score", "-m", "flat", "--heatmap", "the fox")
    assert (status, out.splitlines()[:2]) == (0, ["the fox", "5" * 7])


def test_heatmap_and_tokens_are_shown_together_for_each_text(charlm, two):
    both = charlm("score", "-m", "flat", "--heatmap", "--tokens", "the", "fox")[1]
    parts = []
    for text in ("the", "fox"):
        parts.append(charlm("score", "-m", "flat", "--heatmap", text)[1])
        parts.append(charlm("score", "-m", "flat", "--tokens", text)[1])
    assert both.replace("★ ", "") == "".join(parts)
    assert both.count("★ ") == 2  # they are as probable as each other


def test_heatmap_fits_twenty_columns(charlm, two, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("charlm.render.surprisal.width", lambda stream: 20)
    assert charlm("score", "-m", "flat", "--heatmap", "the quick brown fox jumps")[0] == 0


def test_pages_are_whole_and_harmless(charlm, two):
    text = "<b>&\x1b fox\nthe 'dog'"
    assert charlm("score", "-m", "tiny", "--output", "a.html", text)[2].startswith("wrote a.html\n")
    page = (two / "a.html").read_text()
    assert "<b>" not in page
    assert "\x1b" not in page
    assert "&lt;" in page
    charlm("score", "-m", "tiny", "--output", "a.svg", text)
    root = ElementTree.parse(two / "a.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--heatmap", "--json", "a"), "--heatmap and --json exclude each other; "
         "--tokens --json has all; try: charlm score --help"),
        (("--output", "a.png", "a"),
         "--output writes .html or .svg, got 'a.png'; try: charlm score --help"),
        (("-m", "tiny", "--mix", "1,2", "a"), "--mix gives 2 weights for 1 named with -m; "
         "give one a model; try: charlm score --help"),
        (("-m", "tiny", "-m", "flat", "--mix", "1,-2", "a"),
         "--mix must be numbers above 0, got -2; try: charlm score --help"),
    ],
)  # fmt: skip
def test_wrong_lines_are_told(charlm, two, line, message):
    assert charlm("score", *line) == (2, "", f"charlm: {message}\n")


def test_ranks_follow_the_log_probability(charlm, two):
    _, out, _ = charlm("rank", "-m", "flat", "--json", stdin=b"fox\nthe\n\n\ndog x\nfo\n")
    found = [(r["block"], r["rank"], r["text"]) for r in lines_of(out)]
    assert found == [(1, 1, "fox"), (1, 2, "the"), (2, 1, "fo"), (2, 2, "dog x")]
    assert lines_of(out)[0]["log_prob"] == pytest.approx(-3 * math.log(VOCAB))
    _, out, _ = charlm("rank", "-m", "flat", "--best", stdin=b"fox\nthe\n\ndog x\nfo\n")
    assert out == "fox\nfo\n"


def test_ranks_are_shown_with_blank_lines_between_lists(charlm, two):
    _, out, _ = charlm("rank", "-m", "flat", stdin=b"ox\nfox\n\nb\n")
    assert out == "   1      -6.868  ox\n   2     -10.302  fox\n\n   1      -3.434  b\n"


def test_scores_behind_the_text_are_weighted_in(charlm, two):
    lists = b"fox\t1\t0\nthe\t0\t2\n"
    _, out, _ = charlm("rank", "-m", "flat", "--weight", "1,2", "--json", stdin=lists)
    first, second = lines_of(out)
    base = -3 * math.log(VOCAB)
    assert (first["text"], first["score"]) == ("the", pytest.approx(base + 4))
    assert (second["text"], second["score"]) == ("fox", pytest.approx(base + 1))
    assert (
        charlm("rank", "-m", "flat", "--weight", 1, "--weight", 2, "--json", stdin=lists)[1] == out
    )


def test_lengths_can_be_taken_out(charlm, two):
    _, out, _ = charlm("rank", "-m", "flat", "--normalize", "chars", "--json", "fox", "the fox")
    assert [r["score"] for r in lines_of(out)] == [pytest.approx(-math.log(VOCAB))] * 2


TAIL = "; scores stand behind the text, with TABs between them"


@pytest.mark.parametrize(
    ("stdin", "options", "message"),
    [
        (b"a\t1\nb\n", ("--weight", 1), "line 2: 0 scores behind the text, expected 1 as in line 1"
         + TAIL),
        (b"a\t1\n\nb\tx\n", ("--weight", 1), "line 3: 'x' is no number" + TAIL),
        (b"a\tnan\n", ("--weight", 1), "line 1: 'nan' is no number" + TAIL),
        (b"\na\t1\t2\n", (), "line 2: 2 scores behind the text, but 0 given by --weight; "
         "--weight A,B gives one each, --tune FILE finds them"),
        (b"a\n", ("--weight", 1), "line 1: 0 scores behind the text, but 1 given by --weight; "
         "leave them out"),
    ],
)  # fmt: skip
def test_wrong_lists_are_told_with_their_line(charlm, two, stdin, options, message):
    status, _, err = charlm("rank", "-m", "flat", *options, stdin=stdin)
    assert (status, err) == (1, f"charlm: standard input, {message}\n")


def test_weights_are_found(charlm, two):
    (two / "t.tsv").write_text("*\tfox\t2\nthe\t1\n\ndog\t0\n*\tfox\t5\n")
    status, out, err = charlm("rank", "-m", "flat", "--tune", "t.tsv")
    assert (status, err) == (0, "right in 2 of 2 lists; 0 by the model alone\n")
    assert float(out) > 0
    found = json.loads(charlm("rank", "-m", "flat", "--tune", "t.tsv", "--json")[1])
    assert (found["lists"], found["right"], found["right_without"]) == (2, 2, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\t1\nb\t2\n", "lines 1 to 2: 0 right answers, expected 1; its line begins with '*' and "
         "a TAB"),
        ("\n", "no lists; they are parted by blank lines"),
        ("*\ta\nb\n", "line 1: no scores behind the text to weight"),
    ],
)  # fmt: skip
def test_lists_without_a_right_answer_are_told(charlm, two, text, message):
    (two / "t.tsv").write_text(text)
    status, _, err = charlm("rank", "-m", "flat", "--tune", "t.tsv")
    join = ": " if message.startswith("no lists") else ", "
    assert (status, err) == (1, f"charlm: t.tsv{join}{message}\n")


def test_pairs_are_counted_by_paradigm(charlm, two):
    (two / "p.tsv").write_text("fox\tfoxes\tlength\nthe fox\tfox\tlength\nox\tdog\tword\n")
    record = json.loads(charlm("evaluate", "-m", "flat", "--pairs", "p.tsv", "--json")[1])
    assert (record["pairs"], record["right"], record["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert record["mean_accuracy"] == 0.75
    assert [(p["paradigm"], p["right"], p["pairs"]) for p in record["paradigms"]] == [
        ("length", 1, 2), ("word", 1, 1),
    ]  # fmt: skip
    status, out, _ = charlm("evaluate", "-m", "flat", "--pairs", "p.tsv")
    assert (status, out) == (0, (
        "accuracy  right  pairs  paradigm\n   50.0%      1      2  length\n"
        "  100.0%      1      1  word\n\n"
        "model     flat\nfile      p.tsv\naccuracy  66.67% (2 of 3 pairs)\n"
        "mean      75.00% over 2 paradigms\nunknown   0.000%\n"
    ))  # fmt: skip


@pytest.mark.parametrize(("options", "around"), [((), ""), (("--line-end",), "\n")])
def test_sentences_that_are_lines_stand_between_line_ends(
    charlm, two, monkeypatch, options, around
):
    seen = []

    def watch(model, texts):
        seen.extend(texts)
        return score_batch(model, texts)

    monkeypatch.setattr("charlm.tasks.pairs.score_batch", watch)
    (two / "p.tsv").write_text("the fox\tfox the\n")
    assert charlm("evaluate", "-m", "tiny", "--pairs", "p.tsv", *options)[0] == 0
    decode = open_model("tiny").tokenizer.decode
    assert [decode(ids) for ids in seen] == [f"{around}{s}{around}" for s in ("the fox", "fox the")]


def test_pairs_come_as_json_lines_too(charlm, two):
    line = {"sentence_good": "ox", "sentence_bad": "fox", "UID": "a", "more": 1}
    (two / "p.jsonl").write_text(json.dumps(line) + "\n\n" + json.dumps(line) + "\n")
    record = json.loads(charlm("evaluate", "-m", "flat", "--pairs", "p.jsonl", "--json")[1])
    assert (record["pairs"], record["accuracy"]) == (2, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\nc\n", ", line 2: 1 column; expected a good sentence, a TAB and a bad one, "
         "perhaps a TAB and the paradigm"),
        ("a\t\n", ", line 1: an empty sentence; expected a good sentence, a TAB and a bad one, "
         "perhaps a TAB and the paradigm"),
        ('{"a": 1}\n', ", line 1: expected the texts sentence_good, sentence_bad and maybe UID"),
        ("\n", ": no pairs; a line is a good sentence, a TAB and a bad one"),
    ],
)  # fmt: skip
def test_wrong_pairs_are_told(charlm, two, text, message):
    (two / "p.tsv").write_text(text)
    status, _, err = charlm("evaluate", "-m", "flat", "--pairs", "p.tsv")
    assert (status, err) == (1, f"charlm: p.tsv{message}\n")


def test_mixtures_are_fitted_and_told(charlm, two):
    (two / "a.txt").write_text("the quick brown fox\n" * 3)
    line = ("evaluate", "a.txt", "-m", "tiny", "-m", "flat")
    status, out, err = charlm(*line, "--fit-mix", "a.txt", "--json")
    record = json.loads(out)
    assert status == 0
    assert err == f"charlm: fitted on a.txt: {record['model']}\n"
    even = json.loads(charlm(*line, "--json")[1])
    assert even["model"] == "0.5 tiny + 0.5 flat"
    assert record["nats_per_token"] <= even["nats_per_token"]


def test_samples_come_from_a_mixture(charlm, two):
    line = ("sample", "-m", "tiny", "-m", "flat", "--mix", "3,1", "-n", 20, "--seed", 1)
    status, out, _ = charlm(*line)
    assert (status, out) == (0, charlm(*line)[1])
    status, found, _ = charlm(*line[:7], "-n", 5, "--beam-size", 2, "--json")
    text = json.loads(found)
    scored = charlm("score", *line[1:7], "--json", text["text"])[1]
    assert json.loads(scored)["log_prob"] == pytest.approx(text["log_prob"], rel=1e-4)


def test_dynamic_figures_stand_apart(charlm, two):
    (two / "a.txt").write_text("the quick brown fox\n" * 20)
    plain = json.loads(charlm("evaluate", "a.txt", "-m", "flat", "--json")[1])
    record = json.loads(charlm("evaluate", "a.txt", "-m", "flat", "--json", "--dynamic",
                               "--dynamic-rate", 0.05)[1])  # fmt: skip
    assert record["dynamic"]["nats_per_token"] < plain["nats_per_token"]
    assert {key: record[key] for key in plain} == plain
    assert (record["dynamic"]["rate"], record["dynamic"]["segment"]) == (0.05, 20)


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ((), 2, "give either FILE or --pairs FILE; try: charlm evaluate --help"),
        (("a.txt", "--tune", "b"), 2,
         "--tune needs --dynamic or --cache; try: charlm evaluate --help"),
        (("a.txt", "--cache-share", 0.1), 2,
         "--cache-share needs --cache; try: charlm evaluate --help"),
        (("a.txt", "--cache", "--cache-share", 2), 2,
         "--cache-share must be from 0 to 0.999, got 2; try: charlm evaluate --help"),
        (("a.txt", "-m", "tiny", "--cache"), 1,
         "--cache needs a model of words or subwords; the tokens of 'tiny' are chars"),
        (("a.txt", "-m", "tiny", "-m", "flat", "--dynamic"), 1,
         "--dynamic needs one recurrent model; '0.5 tiny + 0.5 flat' is none"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_told(charlm, two, line, status, message):
    (two / "a.txt").write_text("the fox\n")
    assert charlm("evaluate", *line) == (status, "", f"charlm: {message}\n")
