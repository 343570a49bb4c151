"""From a large text to ids on disk: the same as in memory, once, whole, and again after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from charlm.base.errors import CorpusError, TokenizerError
from charlm.text import building, measuring, pieces, token_files, workers
from charlm.text.building import encode_text, ids_folder, learn_tokenizer, tokenizer_sha256
from charlm.text.corpora import open_corpus
from charlm.text.measuring import measure
from charlm.text.token_files import TokenWriter, make_room, open_tokens, release
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer
from charlm.text.tokenizers.counting import TokenTotals, WordCounter
from charlm.text.tokenizing_jobs import CountJob, EncodeJob, read_counts

LINES = [
    f"the {i % 97}th king, (and {'queen' * (i % 3)}) said: naïve “{i * 7 % 1009}” 中{i % 7}，好\r\n"
    for i in range(3_000)
]
UINT16 = np.dtype("<u2")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_bytes("".join(LINES).encode())
    return tmp_path


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARS", 4_000)
    monkeypatch.setattr(pieces, "MAX_PIECE_CHARS", 8_000)


def done(work):
    """Return what a piece of work returns, and how often it told of itself."""
    told = 0
    while True:
        try:
            next(work)
            told += 1
        except StopIteration as stop:
            return stop.value, told


def measured(spec="text.txt", keep=0, **options):
    return done(measure(open_corpus([spec], **options), keep=keep))[0]


@pytest.mark.parametrize("name", ["char", "byte", "word", "whitespace", "bpe", "unigram"])
def test_ids_through_files_are_those_in_memory(home, small_pieces, monkeypatch, name):
    monkeypatch.setattr(building, "cores", lambda: 2)
    monkeypatch.setattr(building, "_WORKER_CHARS", 50_000)
    config = TokenizerConfig(vocab_size=700)
    whole, large = measured(keep=1 << 30), measured()
    assert (whole.in_memory, large.in_memory) == (True, False)
    assert (whole.chars, whole.sha256) == (large.chars, large.sha256)
    cut = whole.tail_start(0.1, exact=False)
    assert cut == large.tail_start(0.1, exact=False)
    first = done(learn_tokenizer(whole, 0, cut, name, config))[0]
    second = done(learn_tokenizer(large, 0, cut, name, config))[0]
    assert first.to_files() == second.to_files()
    for start, stop in ((0, cut), (cut, whole.chars)):
        expected = first.encode(whole.read(start, stop))
        here = done(encode_text(whole, start, stop, first))[0]
        mapped, told = done(encode_text(large, start, stop, second))
        np.testing.assert_array_equal(here.ids, expected)
        np.testing.assert_array_equal(mapped.ids, expected)
        assert here.ids.dtype == np.int32
        assert mapped.ids.dtype.itemsize == (1 if first.vocab_size <= 256 else 2)
        assert (mapped.unknown, mapped.sha256) == (here.unknown, here.sha256)
        assert told > 0
        again, told = done(encode_text(large, start, stop, second))
        assert told == 0  # it was there
        np.testing.assert_array_equal(again.ids, expected)


def test_nothing_is_counted_twice(home, small_pieces, monkeypatch):
    text = measured()
    first, told = done(learn_tokenizer(text, 0, text.chars, "word", TokenizerConfig()))
    assert told > 0
    second, told = done(learn_tokenizer(text, 0, text.chars, "word", TokenizerConfig()))
    assert told == 0
    assert second.to_files() == first.to_files()
    (kept,) = ids_folder().glob("*.tokenizer")
    kept.write_text(kept.read_text()[:-9] + kept.read_text()[-8:])  # noticed, and done anew
    third, told = done(learn_tokenizer(text, 0, text.chars, "word", TokenizerConfig()))
    assert told > 0
    assert third.to_files() == first.to_files()


def test_small_texts_touch_no_disk(home):
    text = measured(keep=1 << 30)
    tokenizer = done(learn_tokenizer(text, 0, text.chars, "word", TokenizerConfig()))[0]
    done(encode_text(text, 0, text.chars, tokenizer))
    assert not ids_folder().exists()


def test_counting_in_processes_is_counting_here(home, small_pieces):
    text, config = measured(), TokenizerConfig()
    totals = []
    for count in (0, 3):
        total = TokenTotals()
        for answer in workers.run_job(CountJob("word", config), text.pieces(), count):
            total.add(read_counts(answer))
        totals.append(total.largest(None))
    assert totals[0] == totals[1]
    assert totals[0]["king"] == 3_000


def test_more_tokens_than_fit_are_counted_on_disk_exactly():
    counts = {f"w{i}": i % 13 + 1 for i in range(500)} | {",": 3, "￩,": 9, "\n": 2, "a\nb": 5}
    held, spilled = TokenTotals(), TokenTotals(most_held=50)
    for total in (held, spilled):
        for items in (list(counts.items())[i::7] for i in range(7)):
            total.add(dict(items))
            total.add(dict(items[:3]))
    assert spilled.largest(None) == held.largest(None)
    everything = held.largest(None)
    best = sorted(everything, key=lambda token: (-everything[token], token))[:20]
    found = spilled.largest(20)
    assert {token: found[token] for token in best} == {token: everything[token] for token in best}
    assert set(found) - set(best) <= {token for token in everything if len(token) <= 2}


def test_a_counter_forgets_what_it_told():
    counter = WordCounter(str.split)
    counter.add("a b a")
    assert (len(counter), counter.take(), len(counter), counter.take()) == (
        2,
        {"a": 2, "b": 1},
        0,
        {},
    )


def write_file(folder, key="k", values=range(1_000), dtype=UINT16):
    with TokenWriter(folder, key, dtype) as writer:
        writer.append(np.array(values), 3)
        writer.finish()
    return folder / f"{key}.ids"


def test_a_finished_file_is_whole_and_alone(tmp_path):
    path = write_file(tmp_path)
    found = open_tokens(tmp_path, "k", UINT16)
    assert found.ids.tolist() == list(range(1_000))
    assert not found.ids.flags.writeable
    assert found.unknown == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["k.ids"]
    assert path.stat().st_size == 4_096 + 2_000
    release(found.ids[5:])
    release(np.arange(3))
    assert int(found.ids[999]) == 999


def cut_short(data):
    return data[:-1]


def grown(data):
    return data + b"\0"


def flipped(data):
    return data[:5_000] + bytes([data[5_000] ^ 1]) + data[5_001:]


def headless(data):
    return b"x" + data[1:]


def nested(data):
    return b"charlm ids 1\n" + b"[" * 4_083 + data[4_096:]


@pytest.mark.parametrize("damage", [cut_short, grown, flipped, headless, nested, lambda data: b""])
def test_a_damaged_file_is_removed(tmp_path, damage, caplog):
    path = write_file(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert open_tokens(tmp_path, "k", UINT16) is None
    assert not path.exists()
    assert caplog.messages == [f"{path} is damaged; the text is tokenised anew"]


def test_a_file_of_another_type_is_not_taken(tmp_path):
    write_file(tmp_path)
    assert open_tokens(tmp_path, "k", np.dtype("u1")) is None
    assert open_tokens(tmp_path, "other", UINT16) is None


def test_ids_beyond_the_vocabulary_are_not_taken(tmp_path):
    path = write_file(tmp_path, values=[0, 299, 300])
    assert open_tokens(tmp_path, "k", UINT16, 301).ids.tolist() == [0, 299, 300]
    assert open_tokens(tmp_path, "k", UINT16, 300) is None
    assert not path.exists()


def test_a_journal_that_was_written_in_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(token_files, "_JOURNAL_PIECES", 2)
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        for piece in range(4):
            writer.append(np.full(10, piece), 0)
    journal = tmp_path / ".k.journal"
    journal.write_text(journal.read_text().replace('"pieces": 4', '"pieces": 3'))
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        assert writer.pieces == 0


def test_a_build_that_was_killed_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(token_files, "_JOURNAL_PIECES", 2)
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        for piece in range(5):
            writer.append(np.full(10, piece), 1)
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        assert writer.pieces == 4  # what came after the journal is done again
        for piece in (4, 5):
            writer.append(np.full(10, piece), 1)
        writer.finish()
    found = open_tokens(tmp_path, "k", UINT16)
    assert found.ids.tolist() == np.repeat(range(6), 10).tolist()
    assert found.unknown == 6


@pytest.mark.parametrize("what", ["journal", "partial", "short"])
def test_a_torn_build_begins_anew(tmp_path, monkeypatch, what):
    monkeypatch.setattr(token_files, "_JOURNAL_PIECES", 2)
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        for piece in range(4):
            writer.append(np.full(10, piece), 0)
    partial = tmp_path / ".k.partial"
    if what == "journal":
        (tmp_path / ".k.journal").write_text("{")
    elif what == "partial":
        data = bytearray(partial.read_bytes())
        data[4_100] ^= 1
        partial.write_bytes(data)
    else:
        partial.write_bytes(partial.read_bytes()[:-30])
    with TokenWriter(tmp_path, "k", UINT16) as writer:
        assert writer.pieces == 0


def test_only_files_out_of_use_make_room(tmp_path):
    for age, key in enumerate("abcd"):
        path = write_file(tmp_path, key)
        os.utime(path, (age, age))
    used = open_tokens(tmp_path, "a", UINT16)  # also makes it the newest
    os.utime(tmp_path / "a.ids", (0, 0))
    size = path.stat().st_size
    make_room(tmp_path, needed=size, most=3 * size)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.ids", "d.ids"]
    assert int(used.ids[7]) == 7
    del used
    make_room(tmp_path, most=0)
    assert list(tmp_path.iterdir()) == []
    make_room(tmp_path / "missing")


BUILD = """
import sys
from charlm.text import building, pieces, token_files, measuring
pieces.PIECE_CHARS, token_files._JOURNAL_PIECES = 2_000, 3
building.cores, building._WORKER_CHARS = lambda: 2, 1
from charlm.text.corpora import open_corpus
def done(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
if __name__ == "__main__":
    text = done(measuring.measure(open_corpus(["text.txt"]), keep=0))
    config = building.TokenizerConfig()
    tokenizer = done(building.learn_tokenizer(text, 0, text.chars, "word", config))
    print("encoding", flush=True)
    print(len(done(building.encode_text(text, 0, text.chars, tokenizer)).ids), flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_kill_9_in_the_middle_is_no_loss(home, delay):
    command = [sys.executable, "-c", BUILD]
    path = os.pathsep.join([str(Path(building.__file__).parents[2]), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"encoding\n"
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    again = subprocess.run(command, env=environment, check=True, capture_output=True)
    text = measured(keep=1 << 30)
    tokenizer = train_tokenizer("word", [text.read()])
    expected = tokenizer.encode(text.read())
    assert again.stdout == b"encoding\n%d\n" % len(expected)
    (path,) = ids_folder().glob("*.ids")
    found = open_tokens(ids_folder(), path.stem, UINT16)
    np.testing.assert_array_equal(found.ids, expected)


def test_a_worker_that_dies_is_told_in_a_line(home, monkeypatch):
    monkeypatch.setattr(workers, "_CODE", "import sys; sys.exit(3)")
    job = EncodeJob(train_tokenizer("char", ["abc"]))
    with pytest.raises(CorpusError) as caught:
        list(workers.run_job(job, [pieces.Piece("abc")] * 9, 2))
    assert str(caught.value) == (
        "a process that tokenised the text was killed, perhaps for lack of memory; "
        "start again, and what is done is kept"
    )


def test_an_error_in_a_worker_is_the_same_error_here(monkeypatch):
    class Broken:
        def describe(self):
            return {"job": "encode", "config": {"name": "char"}, "files": {}}

        def shown(self, piece):
            return piece.text

    with pytest.raises(TokenizerError, match=r"^the tokenizer's file vocab.json is missing$"):
        list(workers.run_job(Broken(), [pieces.Piece("abc")], 2))


def test_workers_take_nothing_from_the_current_folder(home):
    (home / "json.py").write_text("raise SystemExit('ran')")
    (home / "numpy.py").write_text("raise SystemExit('ran')")
    job = EncodeJob(train_tokenizer("char", ["abc"]))
    answers = list(workers.run_job(job, [pieces.Piece("cab")], 2))
    assert job.read(answers[0])[0].tolist() == job.read(job.answer("cab"))[0].tolist()


def test_a_text_that_changes_while_it_is_read_is_refused(home, small_pieces):
    text = measured()
    tokenizer = train_tokenizer("char", [text.read()])
    with Path("text.txt").open("a") as file:
        file.write("more\n")
    with pytest.raises(CorpusError) as caught:
        done(encode_text(text, 0, text.chars, tokenizer))
    assert str(caught.value) == (
        "text.txt changed while it was read; start again when it is finished"
    )
    assert not list(ids_folder().glob("*.ids"))
    assert [str(path) for path in text.watch.news()] == ["text.txt"]
    assert text.watch.news() == []


def test_invalid_bytes_at_any_border_are_read_alike(home):
    data = b"abc\xff\xe4\xb8d\xe4\xb8\xadx\r\n" * 40_000 + b"\xe4\xb8"
    Path("odd.txt").write_bytes(data)
    for rule, expected in (("replace", "replace"), ("skip", "ignore")):
        wanted = data.decode("utf-8", expected).replace("\r\n", "\n")
        text = measured("odd.txt", encoding_errors=rule)
        assert text.read() == wanted
        assert text.chars == len(wanted)


@pytest.mark.parametrize("keep", [0, 1 << 30])
def test_whether_one_text_holds_another(home, keep, monkeypatch):
    monkeypatch.setattr(measuring, "_TELL_CHARS", 1_000)
    Path("some.txt").write_text("".join(LINES[900:950]).replace("\r\n", "\n"))
    Path("none.txt").write_text("".join(LINES[900:950]).replace("\r\n", "\n") + "!")
    text = measured(keep=keep)
    assert text.contains(measured("some.txt", keep=1 << 30))
    assert not text.contains(measured("none.txt", keep=1 << 30))
    assert text.contains(measured())


def test_a_tokenizer_s_checksum_is_of_all_it_is():
    one = train_tokenizer("word", ["a b"])
    same = train_tokenizer("word", ["a b"])
    other = train_tokenizer("word", ["a c"])
    lower = train_tokenizer("word", ["a b"], TokenizerConfig(lowercase=True))
    assert tokenizer_sha256(one) == tokenizer_sha256(same)
    assert len({tokenizer_sha256(t) for t in (one, other, lower)}) == 3


def test_a_job_described_is_the_same_job():
    from charlm.text.tokenizing_jobs import job_of

    job = EncodeJob(train_tokenizer("word", ["one, two\n"]))
    copy = job_of(json.loads(json.dumps(job.describe())))
    assert copy.answer("two, one, three\n") == job.answer("two, one, three\n")
    with pytest.raises(ValueError, match="a bpe tokenizer is not made of counts"):
        CountJob("bpe", TokenizerConfig())


@pytest.mark.parametrize("name", ["char", "byte", "word", "whitespace", "bpe", "unigram"])
def test_one_endless_word_is_no_problem(home, small_pieces, name):
    Path("line.txt").write_text("some text before it " + "x" * 300_000)
    text, config = measured("line.txt"), TokenizerConfig(vocab_size=300)
    tokenizer = done(learn_tokenizer(text, 0, text.chars, name, config))[0]
    ids = done(encode_text(text, 0, text.chars, tokenizer))[0].ids
    expected = "some text before it " if name != "whitespace" else "some text before it"
    assert tokenizer.decode(ids).startswith(expected)
    assert len(ids) >= 4
