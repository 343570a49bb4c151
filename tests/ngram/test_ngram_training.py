"""`charlm train ngram`: from text or an ARPA file to a model that answers like any other."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError, CorpusError
from charlm.cli.app import run
from charlm.ngram.arpa import write_arpa
from charlm.ngram.kneser_ney import build_ngram
from charlm.store.checkpoint import load_model, read_metrics
from charlm.store.lock import FolderLock
from charlm.tasks.load import open_model
from charlm.tasks.train_events import Message, Saved, TrainResult
from charlm.tasks.train_ngram import train_ngram
from charlm.tasks.train_ngram_config import NgramTrainConfig
from charlm.training.config import TrainConfig

LINES = "the cat sat on the mat .\na dog ate the cat 's hat .\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "cats.txt"
    path.write_text(LINES * 40)
    return str(path)


@pytest.fixture
def charlm(capsys, monkeypatch):
    def run_line(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line


def config(**values) -> NgramTrainConfig:
    return NgramTrainConfig(**{"tokenizer": "whitespace", "order": 3} | values)


def train(corpus, settings=None, **options) -> list:
    return list(train_ngram([corpus], settings or config(), **options))


def test_a_model_is_counted_measured_and_saved(corpus, home):
    events = train(corpus, config(test=corpus))
    model = open_model("cats").model
    described = f"3-gram, {sum(model.config.ngrams):,} n-grams from {corpus}, 612 tokens"
    assert events[0] == Message(text=described)
    assert events[1] == Saved(step=1, folder=str(home / "checkpoints" / "cats"))
    result = events[2]
    assert isinstance(result, TrainResult)
    assert (result.name, result.kind, result.steps, result.epochs) == ("cats", "ngram", 1, 1.0)
    assert (result.device, result.interrupted) == ("cpu", False)
    assert result.parameters == model.parameters
    stored = load_model(home / "checkpoints" / "cats", verify=True)
    assert stored.training["valid"]["perplexity"] == result.valid.perplexity
    assert result.test.tokens == 40 * 17
    record = read_metrics(home / "checkpoints" / "cats")
    assert [(r["kind"], r["perplexity"]) for r in record] == [("valid", result.valid.perplexity)]


@pytest.mark.parametrize("tokenizer", ["whitespace", "word", "char", "byte"])
def test_the_figure_is_the_mean_of_the_probabilities_step_by_step(corpus, home, tokenizer):
    held = home / "held.txt"
    held.write_text("the dog sat .\nthe cat 's mat .\n")
    result = train(corpus, config(tokenizer=tokenizer, valid=str(held)))[-1]
    opened = open_model("cats")
    state, previous, nll = opened.model.initial_state(1), opened.model.bos_id, 0.0
    ids = opened.tokenizer.encode(held.read_text())
    for token in ids:
        log_probs, state = opened.model.step(np.array([previous]), state)
        nll, previous = nll - float(log_probs[0, token]), int(token)
    assert result.valid.nats_per_token == pytest.approx(nll / len(ids), abs=1e-5)
    assert (result.valid.tokens, result.valid.chars) == (len(ids), len(held.read_text()))


def test_lines_are_texts_of_their_own_only_where_they_were_tokenised_beforehand(corpus):
    ends = {}
    for tokenizer in ("whitespace", "word", "char"):
        train(corpus, config(tokenizer=tokenizer), name=tokenizer)
        ends[tokenizer] = open_model(tokenizer).model.config.line_end_id
    assert ends == {"whitespace": 1, "word": None, "char": None}


def test_a_text_alone_is_taken_to_begin_a_line(corpus):
    """`a dog` begins every second line: its first character is as likely as after a line end."""
    train(corpus, config(tokenizer="char"))
    opened = open_model("cats")
    first, _ = opened.model.step(np.array([opened.model.bos_id]), opened.model.initial_state(1))
    likely = [opened.tokenizer.token(int(i)) for i in np.argsort(-first[0])[:2]]
    assert sorted(likely) == ["a", "t"]


def test_a_model_that_is_there_is_replaced_only_if_asked(corpus, home):
    train(corpus, name="x")
    with pytest.raises(CheckpointError) as caught:
        train(corpus, name="x")
    folder = home / "checkpoints" / "x"
    assert str(caught.value) == (
        f"{folder} exists; add --overwrite to replace it, or name another with --name"
    )
    train(corpus, config(order=2), name="x", overwrite=True)
    assert open_model("x").model.config.order == 2
    assert train(corpus)[-1].name == "cats"
    assert train(corpus)[-1].name == "cats-2"


def test_text_settings_are_those_of_language_models():
    same = {"tokenizer": "word", "valid": "x", "lowercase": True, "min_count": 2}
    assert config(**same).text_settings() == TrainConfig(**same)
    with pytest.raises(ConfigError, match=r"^order must be at most 10, got 11$"):
        config(order=11)


@pytest.fixture
def arpa(home):
    names = ("<unk>", "<eos>", "the", "cat", "sat")
    model = build_ngram(np.array([2, 3, 4, 1, 2, 3, 1]), vocab_size=5, order=3, line_end_id=1)
    write_arpa(home / "cat.arpa", model, names)
    return str(home / "cat.arpa"), model


def test_an_arpa_file_is_taken_over(arpa, home):
    path, model = arpa
    held = home / "held.txt"
    held.write_text("the cat sat\nthe dog\n")
    result = train(path, NgramTrainConfig(test=str(held)))[-1]
    assert (result.name, result.valid, result.test.tokens) == ("cat", None, 7)
    opened = open_model("cat")
    ids = opened.tokenizer.encode(held.read_text())
    assert ids.tolist() == [2, 3, 4, 1, 2, 0, 1]
    np.testing.assert_allclose(opened.model.score_ids(ids), model.score_ids(ids), atol=1e-5)
    assert result.test.nats_per_token == pytest.approx(-model.score_ids(ids).mean(), abs=1e-5)


@pytest.mark.parametrize("head", [b"", b"\n\r\n", b"made by hand\n"])
def test_an_arpa_file_is_known_by_how_it_begins(arpa, home, charlm, head):
    path, model = arpa
    data = head + Path(path).read_bytes()
    (home / "cat.lm.gz").write_bytes(gzip.compress(data))
    for line, stdin, name in ((["-"], data, "stdin"), ([str(home / "cat.lm.gz")], b"", "cat")):
        status, out, _ = charlm("train", "ngram", *line, stdin=stdin)
        size = model.parameters
        assert (status, out) == (
            0,
            f"model  {name} in {home}/checkpoints/{name}, {size} parameters\n"
            f"try: charlm score -m {name}\n",
        )
        ids = np.array([2, 3, 4, 1])
        found = open_model(name).model.score_ids(ids)
        np.testing.assert_allclose(found, model.score_ids(ids), atol=1e-5)


def test_an_arpa_file_in_a_pipe_is_known(arpa, home):
    """A real pipe, which cannot be sought in."""
    script = f"cat {arpa[0]} | {sys.executable} -m charlm train ngram - -o x --json -q"
    found = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"")
    assert json.loads(found.stdout)["parameters"] == arpa[1].parameters


def test_an_arpa_file_among_texts_is_refused(arpa, home, charlm):
    path, other = arpa[0], str(home / "o.txt")
    Path(other).write_text("\\data\\ is how such files begin\n")
    assert charlm("train", "ngram", path, other) == (
        1, "", f"charlm: {path} is an ARPA file, a model counted already; give it alone, without "
        f"{other}\n")  # fmt: skip
    found = charlm("train", "ngram", other, "-", "python", stdin=Path(path).read_bytes())
    assert found == (
        1, "", "charlm: standard input is an ARPA file, a model counted already; give it alone, "
        f"without {other}, python\n")  # fmt: skip
    assert not (home / "checkpoints").exists()


def test_what_is_piped_and_broken_is_told_by_its_line(arpa, home, charlm):
    data = Path(arpa[0]).read_bytes().replace(b"ngram 2=", b"ngram 3=")
    assert charlm("train", "ngram", "-", stdin=data) == (
        1, "", "charlm: standard input:3: expected 'ngram 2=COUNT', found 'ngram 3=5'\n"
    )  # fmt: skip


def test_a_text_that_is_piped_is_counted_whole(home, charlm):
    text = b"prose, no \\data\\\n" * 1000
    status, out, _ = charlm("train", "ngram", "-", "--json", "--valid-fraction", "0", stdin=text)
    assert (status, json.loads(out)["name"]) == (0, "stdin")
    assert load_model(home / "checkpoints" / "stdin").training["tokens"] == len(text)


def test_settings_of_text_are_refused_for_an_arpa_file(arpa):
    with pytest.raises(ConfigError) as caught:
        train(arpa[0], NgramTrainConfig(order=3, lowercase=True))
    assert str(caught.value) == f"{arpa[0]} is a finished model; leave out --order, --lowercase"


def test_a_missing_arpa_file_is_told(home):
    with pytest.raises(CorpusError, match=r"^cannot read .*none.arpa: No such file or directory$"):
        train(str(home / "none.arpa"), NgramTrainConfig())


def test_the_command_prints_figures(charlm, corpus):
    status, out, err = charlm("train", "ngram", corpus, "--order", 2, "-q", "--json")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert list(record) == [
        *("name", "kind", "parameters", "steps", "epochs", "duration_seconds"),
        *("tokens_per_second", "device", "valid"),
    ]
    status, out, err = charlm("train", "ngram", corpus, "-o", "again")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "counted", "valid", "try:"]
    assert lines[-1] == "try: charlm score -m again"


def test_it_answers_as_any_model(charlm, corpus):
    train(corpus, name="x")
    status, out, _ = charlm("score", "-m", "x", "--json", "the cat sat", "sat cat the")
    likely, unlikely = (json.loads(line)["log_prob"] for line in out.splitlines())
    assert (status, likely > unlikely) == (0, True)
    status, out, _ = charlm("evaluate", corpus, "-m", "x", "--json")
    assert (status, json.loads(out)["tokens"]) == (0, 680)
    one, two = (charlm("sample", "the", "-m", "x", "-n", 20, "--seed", 1) for _ in range(2))
    assert one == two
    assert (one[0], one[2]) == (0, "")
    assert one[1].startswith("the ")
    assert charlm("sample", "the", "-m", "x", "-n", 5, "--beam-size", 3)[0] == 0
    assert "3-gram" in charlm("models")[1]
    assert charlm("show", "x")[0] == 0


def test_no_torch_is_imported_from_training_to_sampling(corpus, home):
    script = (
        "import sys; from charlm.cli.app import run\n"
        f"assert run(['train', 'ngram', {corpus!r}, '-o', 'x', '-q']) == 0\n"
        "assert run(['sample', 'the', '-m', 'x', '-n', '5']) == 0\n"
        "assert 'torch' not in sys.modules and 'numba' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_in_use_is_told_before_anything_is_counted(corpus, home, monkeypatch):
    monkeypatch.setattr("charlm.tasks.train_ngram._count", lambda *_: pytest.fail("counted"))
    with (
        FolderLock(home / "checkpoints" / "n"),
        pytest.raises(CheckpointError, match="is in use by process"),
    ):
        list(train_ngram([corpus], NgramTrainConfig(), name="n"))


def test_what_failed_leaves_no_folder(home):
    with pytest.raises(CorpusError):
        list(train_ngram(["missing.txt"], NgramTrainConfig(), name="n"))
    assert not (home / "checkpoints" / "n").exists()


def test_a_home_that_takes_no_models_is_told_at_once(corpus, home, monkeypatch):
    (home / "checkpoints").write_text("a file")
    monkeypatch.setattr("charlm.tasks.train_ngram._count", lambda *_: pytest.fail("counted"))
    for name in (None, "n"):
        with pytest.raises(CheckpointError):
            list(train_ngram([corpus], NgramTrainConfig(), name=name))
