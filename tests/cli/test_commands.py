"""What each command prints, on a tiny model."""

import dataclasses
import errno
import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm.cli.show import _flat
from charlm.engine.config import LanguageModelConfig
from charlm.store.checkpoint import load_model, save_model
from charlm.text.tokenizers import train_tokenizer

TEXT = "the quick brown fox jumps over the lazy dog [b]\n"  # what the tiny model knows
VOCAB = len(set(TEXT)) + 1


@pytest.fixture
def uniform(home, save_tiny):
    """A home with a model that gives every token the probability 1/VOCAB."""
    save_tiny(home / "checkpoints" / "flat", uniform=True)
    return home


NOTE = "charlm: using 'tiny', the newest model in {home}/checkpoints/ (choose with --model)\n"


class Terminal:
    """Stands before a captured stream and says that it is a terminal."""

    def __init__(self, stream):
        self._stream = stream

    def isatty(self):
        return True

    def fileno(self):
        raise OSError

    def __getattr__(self, name):
        return getattr(self._stream, name)


def test_score_of_a_uniform_model_is_the_logarithm_of_its_vocabulary(charlm, uniform):
    status, out, err = charlm("score", "-m", "flat", "--json", "fox", "")
    first, empty = map(json.loads, out.splitlines())
    assert (status, err) == (0, "")
    assert first == {
        "text": "fox",
        "log_prob": pytest.approx(-3 * math.log(VOCAB)),
        "tokens": 3,
        "perplexity": pytest.approx(VOCAB),
        "bits_per_char": pytest.approx(math.log2(VOCAB)),
    }
    assert empty == {
        "text": "",
        "log_prob": 0.0,
        "tokens": 0,
        "perplexity": None,
        "bits_per_char": None,
    }


def test_score_prints_a_table(charlm, uniform):
    log_prob = f"{-3 * math.log(VOCAB):10.3f}"
    token = f"{-math.log(VOCAB):.3f}  3.2%     1"
    perplexity, bits = f"{float(VOCAB):.4g}", f"{math.log2(VOCAB):.4g}"
    head = "  log_prob  tokens  perplexity  bits/char  text\n"
    row = f"{log_prob}       3  {perplexity:>10}  {bits:>9}  fox\n"
    assert charlm("score", "-m", "flat", "fox") == (0, head + row, "")
    titles = "  log_prob     p  rank  token  likeliest\n"
    like = "<unk> 3.2%  ' ' 3.2%  o 3.2%"
    tokens = "".join(f"    {token}  {char}      {like}\n" for char in "fox")
    assert charlm("score", "-m", "flat", "fox", "--tokens") == (0, head + row + titles + tokens, "")


def test_the_score_of_a_text_is_the_sum_over_its_tokens(charlm, tiny):
    _, out, _ = charlm("score", "--json", "--tokens", "the fox")
    found = json.loads(out)
    assert [item["token"] for item in found["per_token"]] == list("the fox")
    total = math.fsum(item["log_prob"] for item in found["per_token"])
    assert found["log_prob"] == pytest.approx(total)


def test_score_filters_line_by_line(charlm, tiny):
    _, out, err = charlm("score", "-m", "tiny", "--json", stdin=b"the\r\n\nfo\xffx")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["the", "", "fo\ufffdx"]
    assert err == (
        "charlm: warning: line 3 of standard input is not UTF-8; such bytes are read as \ufffd\n"
        "charlm: warning: 1 of 7 tokens unknown to 'tiny'\n"
    )


def test_a_dash_reads_stdin_as_one_text(charlm, tiny):
    _, out, _ = charlm("score", "-m", "tiny", "--json", "-", stdin=b"the\nfox\n")
    assert json.loads(out)["text"] == "the\nfox"


def test_stdin_can_be_scored_only_once(charlm, tiny):
    assert charlm("score", "-m", "tiny", "-", "-", stdin=b"fox") == (
        2,
        "",
        "charlm: standard input (-) can be read only once; try: charlm score --help\n",
    )


def test_the_line_end_of_echo_is_no_part_of_a_prompt(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 9, "--seed", 1, "-")
    assert charlm(*line, stdin=b"the fox\n") == charlm(*line, stdin=b"the fox")
    assert charlm(*line, stdin=b"the fox\n\n")[1].startswith("the fox\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--beam-size", 2, "--top-k", 3), "--top-k does nothing here: beam search draws nothing"),
        (("--length-penalty", 1), "--length-penalty does nothing here: only --beam-size uses it"),
        (
            ("--repetition-window", 5),
            "--repetition-window does nothing here: only --repetition-penalty uses it",
        ),
    ],
)
def test_an_option_without_a_say_is_told(charlm, tiny, options, message):
    status, _, err = charlm("sample", "-m", "tiny", "-n", 2, *options)
    assert (status, err) == (0, f"charlm: warning: {message}\n")


def test_beams_bound_the_samples(charlm, tiny):
    assert charlm("sample", "-m", "tiny", "--beam-size", 2, "--num-samples", 3) == (
        2,
        "",
        "charlm: --num-samples must be at most the beam size of 2, got 3; "
        "try: charlm sample --help\n",
    )


def test_json_is_ascii_where_stdout_is_not_utf8(charlm, tiny, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    charlm("score", "-m", "tiny", "--json", "\xe9\U0001f600")
    line = stream.buffer.getvalue()
    assert b'"text": "\\u00e9\\ud83d\\ude00"' in line
    assert json.loads(line)["text"] == "\xe9\U0001f600"


@pytest.mark.parametrize("command", [("score",), ("rank",), ("sample", "-n", "3", "--seed", "1")])
def test_bytes_of_an_argument_that_are_no_utf_8_are_u_fffd_in_json(charlm, tiny, command):
    _, out, _ = charlm(*command, "-m", "tiny", "--json", "a\udce9b")
    record = json.loads(out)
    assert record.get("prompt", record["text"]).startswith("a\ufffdb")
    assert "\\u" not in out


def test_a_tokenizer_file_that_is_none_is_told_with_its_folder(charlm, tiny, forge):
    folder = tiny / "checkpoints" / "tiny"
    forge(folder, "vocab.json", b"[]")
    assert charlm("sample", "-m", "tiny") == (
        1,
        "",
        f"charlm: {folder}: vocab.json: expected an object with counts, format, specials, tokens; "
        "copy the model folder again\n",
    )


def test_sample_is_the_same_for_the_same_seed(charlm, tiny):
    first = charlm("sample", "-m", "tiny", "the ", "-n", 20, "--seed", 1)
    assert first == charlm("sample", "-m", "tiny", "the ", "-n", 20, "--seed", 1)
    assert first[0] == 0
    assert first[1].startswith("the ")
    assert first[2] == ""
    assert first != charlm("sample", "-m", "tiny", "the ", "-n", 20, "--seed", 2)


def test_no_prompt_leaves_it_out(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 9, "--seed", 1)
    whole = charlm(*line, "the ")[1]
    assert charlm(*line, "the ", "--no-prompt")[1] == whole.removeprefix("the ")
    assert charlm(*line, "-", stdin=b"the ")[1] == whole


def test_sample_of_no_tokens_is_the_prompt(charlm, tiny):
    assert charlm("sample", "-m", "tiny", "-n", 0, "fox") == (0, "fox\n", "")
    assert charlm("sample", "-m", "tiny", "-n", 0) == (0, "", "")


def test_samples_stand_in_order_under_their_heads(charlm, tiny):
    line = ("sample", "-m", "tiny", "the ", "-n", 5, "--seed", 1)
    texts = [
        json.loads(text)["text"]
        for text in charlm(*line, "--num-samples", 3, "--json")[1].splitlines()
    ]
    parts = []
    for number, text in enumerate(texts, start=1):
        end = "" if text.endswith("\n") else "\n"
        parts.append(f"=== sample {number} of 3 ===\nthe {text}{end}")
    assert charlm(*line, "--num-samples", 3)[1] == "".join(parts)
    assert charlm(*line)[1].rstrip("\n") == f"the {texts[0]}".rstrip("\n")


def test_the_log_prob_of_a_sample_is_its_score(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 12, "--seed", 5, "--json")
    sample = json.loads(charlm(*line)[1])
    assert list(sample) == ["sample", "prompt", "text", "tokens", "log_prob", "stop_reason"]
    score = json.loads(charlm("score", "-m", "tiny", "--json", "--", sample["text"])[1])
    assert sample["log_prob"] == pytest.approx(score["log_prob"], rel=1e-4)
    assert (sample["tokens"], sample["stop_reason"]) == (12, "length")


def test_a_sample_ends_before_a_stop_string(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 30, "--seed", 1, "--json")
    text = json.loads(charlm(*line)[1])["text"]
    stop = text[4:6]
    found = json.loads(charlm(*line, "--stop", stop)[1])
    assert found["text"] == text[: text.index(stop)]
    assert found["stop_reason"] == "stop"


def test_a_beam_ends_before_a_stop_string(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 8, "--beam-size", 3, "--json")
    text = json.loads(charlm(*line)[1])["text"]
    found = json.loads(charlm(*line, "--stop", text[2])[1])
    assert text[2] not in found["text"]


def test_beam_search_prints_the_likeliest_text(charlm, tiny):
    line = ("sample", "-m", "tiny", "-n", 6, "the ")
    found = json.loads(charlm(*line, "--beam-size", 4, "--json")[1])
    assert charlm(*line, "--beam-size", 4)[1].rstrip("\n") == f"the {found['text']}".rstrip("\n")
    greedy = json.loads(charlm(*line, "--temperature", 0, "--json")[1])
    assert found["log_prob"] >= greedy["log_prob"] - 1e-6


def test_unknown_characters_are_one_warning(charlm, tiny):
    status, out, err = charlm("sample", "-m", "tiny", "-n", 1, "--seed", 1, "éàé")
    assert (status, out[:3]) == (0, "éàé")
    assert err == ("charlm: warning: the prompt has characters unknown to 'tiny': 'é', 'à'\n")


def test_stats_and_the_seed_go_to_stderr(charlm, tiny):
    _, out, err = charlm("sample", "-m", "tiny", "-n", 7, "--stats")
    seed, stats = err.splitlines()
    assert seed.startswith("charlm: --seed ")
    assert stats.startswith("charlm: 7 tokens, 7 characters in 0.")
    assert charlm("sample", "-m", "tiny", "-n", 7, "--seed", seed.split()[-1])[1] == out


def test_a_terminal_never_gets_a_control_character(charlm, home, monkeypatch, save_tiny):
    save_tiny(home / "checkpoints" / "evil", text="\x1b\x9b\u202e\x07")
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    _, out, _ = charlm("sample", "-m", "evil", "-n", 200, "--seed", 1)
    assert "\\x1b" in out
    assert not set("\x1b\x9b\u202e\x07") & set(out)


def test_a_pipe_gets_the_exact_characters(charlm, home, save_tiny):
    save_tiny(home / "checkpoints" / "evil", text="\x1b\x9b\u202e\x07")
    _, out, _ = charlm("sample", "-m", "evil", "-n", 200, "--seed", 1)
    assert set(out) == set("\x1b\x9b\u202e\x07\n")


def test_without_a_name_the_newest_model_is_taken_and_said(charlm, tiny):
    assert charlm("sample", "-n", 0, "fox") == (0, "fox\n", NOTE.format(home=tiny))


def test_evaluate_counts_every_token(charlm, uniform):
    (uniform / "valid.txt").write_text("the fox\n" * 3)
    status, out, err = charlm("evaluate", "-m", "flat", "valid.txt", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "model": "flat",
        "file": "valid.txt",
        "nats_per_token": pytest.approx(math.log(VOCAB)),
        "perplexity": pytest.approx(VOCAB),
        "bits_per_char": pytest.approx(math.log2(VOCAB)),
        "tokens": 24,
        "chars": 24,
        "unknown_rate": 0.0,
    }
    nats, bits = f"{math.log(VOCAB):.4f}", f"{math.log2(VOCAB):.4f}"
    assert charlm("evaluate", "-m", "flat", "valid.txt")[1] == (
        "model           flat\n"
        "file            valid.txt\n"
        f"nats per token  {nats}\n"
        f"perplexity      {VOCAB:.4f}\n"
        f"bits per char   {bits}\n"
        "tokens          24\n"
        "chars           24\n"
        "unknown         0.000%\n"
    )


def test_evaluate_says_how_much_is_unknown(charlm, uniform):
    found = json.loads(charlm("evaluate", "-m", "flat", "-", "--json", stdin="fé".encode())[1])
    assert (found["unknown_rate"], found["tokens"], found["chars"]) == (0.5, 2, 2)


def test_models_lists_broken_folders_too(charlm, tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "cut")
    weights = tiny / "checkpoints" / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    status, out, err = charlm("models")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == [
        "name",
        "kind",
        "model",
        "params",
        "bits/char",
        "perplexity",
        "age",
        "size",
    ]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert rows["cut"].split() == ["cut", "broken", *["-"] * 6]
    assert "1 x 8 LSTM, char" in rows["tiny"]
    assert "2.885       7.389" in rows["tiny"]
    assert err.startswith(f"charlm: warning: cut: {weights} is cut: ")


def test_no_models_is_said_on_stderr(charlm, home, monkeypatch):
    monkeypatch.setattr("charlm.tasks.models.list_models", list)
    assert charlm("models") == (0, "", "charlm: no models yet; charlm train makes one\n")


def test_show_tells_all(charlm, tiny):
    status, out, err = charlm("show", "tiny")
    assert (status, err) == (0, "")
    assert out.startswith(f"name    tiny\nkind    lm\nfolder  {tiny}/checkpoints/tiny\n\nModel\n")
    assert "  hidden_size    8\n" in out
    assert "  valid.bits_per_char   2.885\n" in out
    assert out.endswith("\nCard\n# tiny\nA model for tests.\n")
    record = json.loads(charlm("show", "tiny", "--json")[1])
    assert record["training"]["steps"] == 2
    size = (tiny / "checkpoints/tiny/model.safetensors").stat().st_size
    assert record["files"]["model.safetensors"] == size
    assert set(load_model(tiny / "checkpoints/tiny").tokenizer_files) < set(record["files"])


def test_a_card_cannot_steer_a_terminal(charlm, tiny, monkeypatch):
    (tiny / "checkpoints/tiny/README.md").write_text("[b]x[/b] \x1b]0;title\x07\n")
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    assert charlm("show", "tiny")[1].endswith("[b]x[/b] \\x1b]0;title\\x07\n")


def test_plot_draws_in_the_terminal(charlm, tiny):
    status, out, err = charlm("plot", "tiny")
    assert (status, err) == (0, "")
    assert out.startswith("bits per character\n    ┌──")
    assert "\n4.00┤" in out
    assert out.endswith("• tiny train: lowest 3, last 3\n+ tiny valid: lowest 3.5, last 3.5\n")
    curves = [
        json.loads(line)
        for line in charlm("plot", "--json", "--measure", "loss", "tiny")[1].splitlines()
    ]
    assert curves == [
        {
            "model": "tiny",
            "kind": "train",
            "steps": [1.0, 2.0],
            "values": [3.0, 2.0],
            "measure": "loss",
        },
        {"model": "tiny", "kind": "valid", "steps": [2.0], "values": [2.5], "measure": "loss"},
    ]


def test_plot_without_records_says_so(charlm, tiny):
    (tiny / "checkpoints/tiny/metrics.jsonl").unlink()
    message = "charlm: tiny: no figures of a training in metrics.jsonl, so none to draw\n"
    assert charlm("plot", "tiny") == (1, "", message)


LM = (
    '{"kind": "step", "step": 1, "bits_per_char": 3.0, "loss": 2.0}\n'
    '{"kind": "valid", "step": 1, "bits_per_char": 3.5, "nats_per_token": 2.5}\n'
)
TAGGER = (
    '{"kind": "step", "step": 1, "loss": 4.0, "words_per_second": 9.0}\n'
    '{"kind": "valid", "step": 1, "accuracy": 0.5}\n'
)
VECTORS = '{"kind": "step", "step": 7, "loss": 2.5, "words_per_second": 9.0}\n'
CLASSIFIER = '{"kind": "valid", "step": 1, "accuracy": 0.75, "nats_per_text": 0.5}\n'


@pytest.fixture
def with_metrics(home, save_tiny):
    """Save a model that has written these records."""

    def save(name, metrics):
        save_tiny(home / "checkpoints" / name)
        (home / "checkpoints" / name / "metrics.jsonl").write_text(metrics)

    save("ta", TAGGER)
    save("ve", VECTORS)
    save("cl", CLASSIFIER)
    save("lm", LM)


@pytest.mark.parametrize(
    ("line", "title", "legend"),
    [
        (("lm",), "bits per character", ["lm train: 3", "lm valid: 3.5"]),
        (("ta",), "loss", ["ta train: 4"]),
        (("ve",), "loss", ["ve train: 2.5"]),
        (("cl",), "nats per text", ["cl valid: 0.5"]),
        (("lm", "ve"), "loss", ["lm train: 2", "lm valid: 2.5", "ve train: 2.5"]),
        (("lm", "--measure", "loss"), "nats per token", ["lm train: 2", "lm valid: 2.5"]),
        (("ta", "--measure", "speed"), "words per second", ["ta train: 9"]),
        (("ta", "cl", "--measure", "accuracy"), "accuracy", ["ta valid: 0.5", "cl valid: 0.75"]),
    ],
)
def test_plot_draws_what_models_of_a_kind_have(charlm, with_metrics, line, title, legend):
    status, out, err = charlm("plot", *line)
    lines = out.splitlines()
    assert (status, err, lines[0]) == (0, "", title)
    shown = [re.sub("^. (.*): lowest .*, last (.*)$", r"\1: \2", one) for one in lines]
    assert shown[-len(legend) :] == legend


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ("ta", "--measure", "bits-per-char"),
            "ta: no bits-per-char in its metrics.jsonl; it has loss, accuracy, speed",
        ),
        (
            ("lm", "cl", "--measure", "speed"),
            "lm: no speed in its metrics.jsonl; it has bits-per-char, loss",
        ),
    ],
)
def test_plot_names_the_measures_there_are(charlm, with_metrics, line, message):
    assert charlm("plot", *line) == (1, "", f"charlm: {message}\n")


def test_models_that_have_no_measure_in_common_are_told(charlm, with_metrics, home):
    rate = '{"kind": "step", "step": 1, "learning_rate": 4.0}\n'
    (home / "checkpoints" / "ve" / "metrics.jsonl").write_text(rate)
    assert charlm("plot", "ta", "ve") == (
        1,
        "",
        "charlm: no measure that all of these models have, so none to draw together: "
        "ta has loss, accuracy, speed; ve has learning-rate\n",
    )


@pytest.mark.parametrize("line", [("plot",), ("show",)])
def test_where_a_name_is_no_option_the_note_says_so(charlm, tiny, line):
    note = NOTE.format(home=tiny).replace("--model", "NAME")
    status, _, err = charlm(*line)
    assert (status, err) == (0, note)


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!DOCTYPE html>")]
)
def test_plot_writes_pictures(charlm, tiny, suffix, start):
    assert charlm("plot", "tiny", "--output", f"x.{suffix}") == (0, f"wrote x.{suffix}\n", "")
    data = (tiny / f"x.{suffix}").read_bytes()
    assert data.startswith(start)
    if suffix == "html":
        assert b"<svg" in data
        assert b"http" not in data.split(b"<svg")[0] + data.split(b"</svg>")[1]


def test_a_corpus_is_kept_listed_and_shown(charlm, home):
    (home / "a.txt").write_text("one\ntwo\n")
    status, out, err = charlm("corpus", "add", "mine", "a.txt")
    assert (status, err) == (0, "")
    assert out == f"kept mine in {home}/corpora/mine.txt\ntry: charlm train mine\n"
    assert "mine" in charlm("corpus", "list")[1]
    listed = [json.loads(line) for line in charlm("corpus", "list", "--json")[1].splitlines()]
    names = [one["name"] for one in listed if one["here"]]
    assert names == ["mine", "python", "python-docs"]
    assert charlm("corpus", "show", "mine")[1].endswith(
        "chars  8 (6 different)\nlines  2\n\none\ntwo\n"
    )
    found = json.loads(charlm("corpus", "show", "mine", "--json")[1])
    assert (found["chars"], found["lines"], found["head"]) == (8, 2, "one\ntwo\n")
    status, _, err = charlm("corpus", "add", "mine", "a.txt")
    assert (status, err) == (
        1,
        f"charlm: a corpus 'mine' is there already ({home}/corpora/mine.txt); "
        "--overwrite replaces it\n",
    )
    added = json.loads(charlm("corpus", "add", "mine", "a.txt", "--overwrite", "--json")[1])
    assert added == {"name": "mine", "path": f"{home}/corpora/mine.txt"}


def test_invalid_bytes_of_a_corpus_follow_its_option(charlm, home):
    (home / "a.txt").write_bytes(b"a\xffb\xff\n")
    warning = "charlm: warning: a.txt: 2 invalid byte sequences replaced by U+FFFD\n"
    line = ("corpus", "add", "mine", "a.txt", "--encoding-errors", "replace")
    kept = f"kept mine in {home}/corpora/mine.txt\ntry: charlm train mine\n"
    assert charlm(*line) == (0, kept, warning)
    assert (home / "corpora" / "mine.txt").read_text() == "a\ufffdb\ufffd\n"
    line = ("corpus", "show", "a.txt", "--json", "--encoding-errors", "skip")
    assert json.loads(charlm(*line)[1])["head"] == "ab\n"


def test_show_writes_lists_and_truths_as_words():
    values = {"a": True, "b": ["x", 1.5], "c": None, "d": {"e": False}, "f": list(range(9))}
    assert _flat(values) == [("a", "yes"), ("b", "x, 1.5"), ("d.e", "no"), ("f", "9 entries")]


def test_a_picture_that_cannot_be_written_leaves_the_old(charlm, tiny, monkeypatch):
    (tiny / "x.svg").write_text("old")

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    message = "charlm: cannot write x.svg: No space left on device\n"
    assert charlm("plot", "tiny", "--output", "x.svg") == (1, "", message)
    assert (tiny / "x.svg").read_text() == "old"
    assert [path.name for path in tiny.glob(".x.svg*")] == []


def test_corpus_text_cannot_steer_a_terminal(charlm, home, monkeypatch):
    (home / "a.txt").write_text("[b]\x9b\u202e\n")
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    assert charlm("corpus", "show", "a.txt")[1].endswith("\n[b]\\x9b\\u202e\n")


@pytest.mark.parametrize(
    "line",
    [("models",), ("show", "tiny"), ("plot", "tiny"), ("score", "fox"), ("sample", "-n", "3")],
)
def test_a_terminal_of_twenty_columns_is_enough(charlm, tiny, monkeypatch, line):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    assert charlm(*line)[0] == 0


def test_evaluate_and_score_count_the_same_characters(charlm, home):
    text = "fox fox\nblorb zxqy fox\n"
    tokenizer = train_tokenizer("word", ["fox dog\n" * 50])
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, embedding_dim=2, hidden_size=2, num_layers=1
    )
    save_model(
        home / "checkpoints" / "words",
        kind="lm",
        model_config=dataclasses.asdict(config),
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors={n: np.zeros(s, np.float32) for n, s in config.tensor_shapes().items()},
        training={},
        card="",
    )
    (home / "a.txt").write_text(text)
    found = json.loads(charlm("evaluate", "-m", "words", "a.txt", "--json")[1])
    scored = json.loads(charlm("score", "-m", "words", "--json", text)[1])
    assert found["chars"] == len(text)
    assert found["bits_per_char"] == pytest.approx(scored["bits_per_char"], rel=1e-6)
