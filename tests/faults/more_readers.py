"""Word vectors, questions about them and about models, files of ids: examples and readers."""

import hashlib
import json

import numpy as np
from mutation import mutated, mutated_json, mutated_tensors

from charlm.store.checkpoint import save_resume
from charlm.store.documents import dump_json
from charlm.store.resume import load_resume
from charlm.tasks.analogy import find_analogy
from charlm.tasks.neighbors import find_neighbors
from charlm.tasks.pairs import read_pairs
from charlm.tasks.rank import read_blocks
from charlm.tasks.vectors_convert import convert_to_file
from charlm.tasks.vectors_evaluate import evaluate_vectors
from charlm.tasks.vectors_open import open_space
from charlm.text.building import encode_text, ids_folder, learn_tokenizer
from charlm.text.corpora import open_corpus
from charlm.text.measuring import measure
from charlm.text.token_files import TokenWriter, open_tokens
from charlm.text.tokenizers import TokenizerConfig
from charlm.vectors.config import VectorsConfig
from charlm.vectors.folder import save_vectors
from charlm.vectors.formats import write_vectors
from charlm.vectors.space import Space
from charlm.vectors.words import Words

WORDS = ("the", "king", "queen", "man", "woman", "fox", "\u4e2d\u6587", "new_york")
QUESTIONS = ": gram1\nman king woman queen\nking man queen woman\n: other\nfox man king the\n"
SIMILAR = "Word 1\tWord 2\tScore\nking\tqueen\t8.5\nfox\tthe\t0.3\nman\twoman\t7\n"
MINIMAL = "a cat\ta cats\tnumber\n" + json.dumps({"sentence_good": "b", "sentence_bad": "c"})
LISTS = "*\tI saw a van\t-4.1\t2\neyes awe of an\t-3.9\t3\n\n*\tb\t1\t2\nc\t2\t1e3\n"
UINT16 = np.dtype("<u2")


def a_space(dim=5):
    numbers = np.random.default_rng(0).normal(size=(len(WORDS), dim))
    return Space(Words.of(WORDS), numbers.astype(np.float32))


def save_some_vectors(folder):
    """Save a folder of word vectors."""
    space = a_space()
    save_vectors(
        folder,
        VectorsConfig(words=len(WORDS), dim=space.dim, lowercase=True),
        space.words,
        space.matrix,
        np.arange(len(WORDS), dtype=np.int64),
        tokenizer_config={"name": "word", "lowercase": True},
        training={"steps": 1, "description": "a text"},
        card="# vectors\n",
    )


def ask_vectors(place):
    """Use word vectors in all the ways that read them."""
    opened = open_space(str(place))
    words = list(opened.space.words)
    known = [words[0], words[-1], words[len(words) // 2]]
    find_neighbors(opened, known[:1], top_n=3)
    find_neighbors(opened, ["king"], negative=["man"])
    find_analogy(opened, *known, method="3cosmul")


class VectorFile:
    """Word vectors of another program; what is read is written again in all forms."""

    def __init__(self, root, form):
        self.path, self.root, self.how = root / "vectors", root, mutated
        write_vectors(self.path, a_space(), form)
        self.seed = self.path.read_bytes()

    def read(self, data):
        self.path.write_bytes(data)
        opened = open_space(str(self.path))
        for form in ("text", "binary", "glove"):
            convert_to_file(opened, str(self.root / "copy"), form=form, overwrite=True)
        ask_vectors(self.path)


class QuestionFile:
    """Analogies or pairs to judge word vectors by."""

    def __init__(self, root, text):
        self.path, self.how, self.seed = root / "questions.txt", mutated, text.encode()
        save_some_vectors(root / "v")
        self.opened = open_space(str(root / "v"))

    def read(self, data):
        self.path.write_bytes(data)
        json.dumps(evaluate_vectors(self.opened, str(self.path)).record())


class ListFile:
    """Lines with columns: minimal pairs, or candidates with scores."""

    def __init__(self, root, text, parse):
        self.path, self.how, self.parse = root / "lines.txt", mutated, parse
        self.seed = text.encode()

    def read(self, data):
        self.path.write_bytes(data)
        self.parse(open_corpus([str(self.path)]).read())


def pairs_of(text):
    return list(read_pairs(text, "lines.txt"))


def lists_of(text):
    return list(read_blocks([text.split("\n")], where="lines.txt", marked=True))


class IdFile:
    """A finished file of ids; its checksum is often made anew."""

    def __init__(self, root):
        self.root, self.ids = root, np.arange(500) % 300
        with TokenWriter(root, "k", UINT16) as writer:
            writer.append(self.ids, 2)
            writer.finish()
        self.path = root / "k.ids"
        self.seed = self.path.read_bytes()

    @staticmethod
    def how(seed, rng):
        if rng.randrange(2):
            return mutated(seed, rng)
        magic, header, ids = seed[:13], json.loads(seed[13:4096]), bytearray(seed[4096:])
        for _ in range(rng.randrange(3)):
            ids[rng.randrange(len(ids))] = rng.randrange(256)
        del ids[len(ids) - rng.choice((0, 0, 1, 2)) :]
        header["sha256"] = hashlib.sha256(ids).hexdigest()
        text = mutated_json(json.dumps(header).encode(), rng)
        return (magic + text).ljust(4096)[:4096] + ids

    def read(self, data):
        self.path.write_bytes(data)
        found = open_tokens(self.root, "k", UINT16, 300)
        assert (found is None) == (not self.path.exists())
        assert found is None or found.ids.max(initial=0) < 300


class BuildFile:
    """The journal, or the ids, of a build that was killed: what it ends with is right."""

    def __init__(self, root, suffix):
        from charlm.text import token_files

        self.root, self.how = root, mutated_json if suffix == "journal" else mutated
        self.places = {name: root / f".k.{name}" for name in ("journal", "partial")}
        with TokenWriter(root, "k", UINT16) as writer:
            for piece in range(token_files._JOURNAL_PIECES + 3):
                writer.append(np.full(10, piece), 1)
        self.total = writer.pieces
        self.whole = {name: path.read_bytes() for name, path in self.places.items()}
        self.suffix, self.seed = suffix, self.whole[suffix]

    def read(self, data):
        for name, path in self.places.items():
            path.write_bytes(data if name == self.suffix else self.whole[name])
        with TokenWriter(self.root, "k", UINT16) as writer:
            for piece in range(writer.pieces, self.total):
                writer.append(np.full(10, piece), 1)
            writer.finish()
        found = open_tokens(self.root, "k", UINT16, self.total)
        assert found.ids.tolist() == np.repeat(range(self.total), 10).tolist()
        assert found.unknown == self.total


class KeptTokenizer:
    """A tokenizer that is kept beside the ids of a large text."""

    def __init__(self, root):
        self.how = mutated_json
        (root / "text.txt").write_text("the quick brown fox\n" * 50)
        self.text = _last(measure(open_corpus([str(root / "text.txt")]), keep=0))
        self._learn()
        self.path = next(ids_folder().glob("*.tokenizer"))
        self.seed = self.path.read_bytes()

    def _learn(self):
        tokenizer = _last(learn_tokenizer(self.text, 0, self.text.chars, "word", TokenizerConfig()))
        return _last(encode_text(self.text, 0, self.text.chars, tokenizer))

    def read(self, data):
        self.path.write_bytes(self._signed(data))
        assert len(self._learn().ids) > 0

    @staticmethod
    def _signed(data):
        try:
            stored = json.loads(data)
            stored["sha256"] = hashlib.sha256(stored["tokenizer"].encode()).hexdigest()
            return json.dumps(stored).encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return data


def _last(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


class ResumedState:
    """A training state, its checksums made anew, of a run that is then gone on with."""

    def __init__(self, root, suffix, train):
        self.how = mutated_json if suffix == ".json" else mutated_tensors
        self._train, self.suffix = train, suffix
        (root / "cats.txt").write_text("the cat sat on the mat.\n" * 40)
        self.corpus = str(root / "cats.txt")
        self.folder = root / "checkpoints" / "run"
        train(self.corpus, resume=False)
        found = load_resume(self.folder)
        self.step, self.state, self.tensors = found.step, found.state, found.tensors
        self.files = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        name = max(path for path in self.files if path.name.startswith("state-")).name
        self.name = name.removesuffix(".safetensors")
        numbers = self.folder / "resume" / f"{self.name}.safetensors"
        self.numbers, self.record = numbers, numbers.with_suffix(".json")
        self.seed = dump_json(self.state) if suffix == ".json" else numbers.read_bytes()

    def read(self, data):
        for path in self.numbers.parent.iterdir():
            path.unlink()
        for path, whole in self.files.items():
            path.write_bytes(whole)
        if self.suffix == ".json":
            self._with_state(data)
        else:
            self._with_numbers(data)
        self._train(self.corpus, resume=True)

    def _with_state(self, data):
        try:
            state = json.loads(data)
            save_resume(self.folder, self.step, self.tensors, state)
        except (ValueError, TypeError, RecursionError):
            self.record.write_bytes(data)

    def _with_numbers(self, data):
        self.numbers.write_bytes(data)
        record = json.loads(self.record.read_bytes())
        record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        del record["checksum"]
        record["checksum"] = hashlib.sha256(dump_json(record)).hexdigest()
        self.record.write_bytes(dump_json(record))


def train_a_little(corpus, *, resume):
    """Train a language model of 4 units for 10 steps, or for 2 more."""
    from charlm.tasks.train import train_language_model
    from charlm.training.config import TrainConfig

    sizes = {"hidden_size": 4, "embedding_dim": 3, "batch_size": 2, "bptt": 4, "threads": 1}
    if resume:
        config = TrainConfig(max_steps=12)
        list(train_language_model([corpus], config, name="run", resume=True))
    else:
        config = TrainConfig(**sizes, precision="float32", max_steps=10)
        list(train_language_model([corpus], config, name="run", overwrite=True))


READERS = {
    "word2vec text": lambda root: VectorFile(root, "text"),
    "word2vec binary": lambda root: VectorFile(root, "binary"),
    "GloVe": lambda root: VectorFile(root, "glove"),
    "analogies": lambda root: QuestionFile(root, QUESTIONS),
    "judged pairs": lambda root: QuestionFile(root, SIMILAR),
    "minimal pairs": lambda root: ListFile(root, MINIMAL, pairs_of),
    "n-best lists": lambda root: ListFile(root, LISTS, lists_of),
    "ids": IdFile,
    "journal of ids": lambda root: BuildFile(root, "journal"),
    "begun ids": lambda root: BuildFile(root, "partial"),
    "kept tokenizer": KeptTokenizer,
    "resumed state, JSON": lambda root: ResumedState(root, ".json", train_a_little),
    "resumed state, tensors": lambda root: ResumedState(root, ".safetensors", train_a_little),
}
