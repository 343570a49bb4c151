"""Every kind of file that charlm reads: a whole example, and a reader that goes all the way.

Files of word vectors, of questions and of ids are in `more_readers.py`.

A model folder's manifest is made anew around a mutated file: its checksums would catch nearly
everything, and the readers behind it are what is tried here.
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import zipfile

import classifier_readers
import more_readers
import numpy as np
import tagger_readers
from mutation import mutated, mutated_json, mutated_tensors

from charlm.engine.config import LanguageModelConfig
from charlm.generation.sampling import SamplingConfig
from charlm.ngram.arpa import read_arpa, write_arpa
from charlm.ngram.folder import save_ngram
from charlm.ngram.kneser_ney import build_ngram
from charlm.store.checkpoint import load_resume, read_metrics, read_summary, save_model, save_resume
from charlm.store.documents import dump_json
from charlm.store.files import Written
from charlm.store.folder import check_folder
from charlm.store.manifest import dump_manifest
from charlm.store.metrics_log import MetricsLog
from charlm.tasks.load import open_model
from charlm.tasks.plot import read_curves
from charlm.tasks.sample import collect_samples, read_prompt
from charlm.tasks.score import score_text
from charlm.tasks.show import show_model
from charlm.text.corpora import open_corpus
from charlm.text.downloadable import Part
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer
from charlm.text.unpacking import unpack

TEXT = "the quick brown fox, jumps over the lazy dog; é 中文 [b]\n" * 40
ASKED = "the lazy é dog\n"


def ask(folder):
    """Use the model of a folder in all the ways that read it."""
    show_model(str(folder))
    opened = open_model(str(folder))
    score_text(opened, ASKED)
    config = SamplingConfig(max_new_tokens=3, num_samples=2, seed=1)
    collect_samples(opened, read_prompt(opened, ASKED), config)


def _save_lm(folder, tokenizer_name):
    settings = TokenizerConfig(vocab_size=300 if tokenizer_name == "bpe" else None)
    tokenizer = train_tokenizer(tokenizer_name, [TEXT], settings)
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=4, embedding_dim=3, num_layers=2, cell="gru"
    )
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.normal(0.0, 0.5, shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }
    save_model(
        folder,
        kind="lm",
        model_config={name: getattr(config, name) for name in config.__dataclass_fields__},
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors=tensors,
        training={"steps": 2, "valid": {"perplexity": 7.0}, "history": [1, [2.5, None]]},
        card="# a card\n",
    )


def _ngram():
    tokenizer = train_tokenizer("whitespace", [TEXT], TokenizerConfig())
    ids = tokenizer.encode(TEXT)
    model = build_ngram(ids, vocab_size=tokenizer.vocab_size, order=3, line_end_id=1)
    return tokenizer, model


def _save_ngram(folder):
    tokenizer, model = _ngram()
    save_ngram(
        folder,
        model,
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        training={"steps": 1},
        card="# a card\n",
    )


class ModelFile:
    """One file of a model folder, the manifest made anew around it."""

    def __init__(self, root, name, save, how, use=ask):
        self.folder, self.name, self.how, self._use = root / "m", name, how, use
        save(self.folder)
        self.seed = (self.folder / name).read_bytes()
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        self._files = {key: Written(**value) for key, value in manifest["files"].items()}

    def read(self, data):
        """Put `data` in the file's place and use the model."""
        (self.folder / self.name).write_bytes(data)
        if self.name in self._files:
            self._files[self.name] = Written(len(data), hashlib.sha256(data).hexdigest())
            (self.folder / "manifest.json").write_bytes(dump_manifest(self._files))
        read_summary(self.folder)
        check_folder(self.folder)
        self._use(self.folder)


class MetricsFile:
    """`metrics.jsonl`, read for plots and cut by a resumed run."""

    def __init__(self, root):
        self.folder, self.how = root, mutated_json_line
        record = {"kind": "step", "step": 1, "bits_per_char": 4.0, "loss": 3.0}
        valid = {"kind": "valid", "step": 2, "bits_per_char": 3.5, "nats_per_token": 2.5}
        lines = [record, {**record, "step": 2}, valid]
        self.seed = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def read(self, data):
        (self.folder / "metrics.jsonl").write_bytes(data)
        with MetricsLog(self.folder, resume_step=1) as log:
            log.append({"kind": "step", "step": 2})
        (self.folder / "metrics.jsonl").write_bytes(data)
        read_metrics(self.folder)
        read_curves([str(self.folder)], "bits-per-char")


def mutated_json_line(seed, rng):
    lines = seed.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    how = rng.choice((mutated, mutated_json))
    lines[place] = how(lines[place].strip(), rng) + b"\n" * rng.randrange(3)
    return b"".join(lines)


class ResumeFile:
    """A training state, its checksums made anew where that can be done."""

    def __init__(self, root, suffix, how):
        self.folder, self.how, self.suffix = root, how, suffix
        tensors = {"w": np.ones((3, 2), np.float32), "n": np.arange(4)}
        save_resume(root, 5, tensors, {"clock": 1.5, "rng": {"state": 2**127}})
        self.place = root / "resume"
        self.seed = (self.place / f"state-1{suffix}").read_bytes()
        self._json = json.loads((self.place / "state-1.json").read_bytes())

    def read(self, data):
        (self.place / f"state-1{self.suffix}").write_bytes(data)
        if self.suffix == ".json":
            data = self._resigned(data)
            (self.place / "state-1.json").write_bytes(data)
        else:
            record = {**self._json, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            del record["checksum"]
            record["checksum"] = hashlib.sha256(dump_json(record)).hexdigest()
            (self.place / "state-1.json").write_bytes(dump_json(record))
        load_resume(self.folder)

    @staticmethod
    def _resigned(data):
        try:
            record = json.loads(data)
            del record["checksum"]
            record["checksum"] = hashlib.sha256(dump_json(record)).hexdigest()
            return dump_json(record)
        except (ValueError, KeyError, TypeError, RecursionError):
            return data


class ArpaFile:
    """An n-gram model in text."""

    def __init__(self, root):
        self.path, self.how = root / "m.arpa", mutated
        tokenizer, model = _ngram()
        write_arpa(self.path, model, tokenizer.vocab.tokens)
        self.seed = self.path.read_bytes()

    def read(self, data):
        self.path.write_bytes(data)
        model, _ = read_arpa(self.path)
        model.score_ids(np.arange(model.vocab_size))
        model.step(np.array([0]), model.initial_state(1))


class CorpusFile:
    """A text, plain or compressed."""

    def __init__(self, root, suffix, pack):
        self.path, self.how = root / f"c.txt{suffix}", mutated
        self.seed = pack(TEXT.encode())

    def read(self, data):
        self.path.write_bytes(data)
        for errors in ("strict", "skip"):
            corpus = open_corpus([str(self.path)], encoding_errors=errors)
            assert len("".join(corpus.pieces()).encode()) <= 100 << 20


class ZipFile:
    """A downloaded archive."""

    def __init__(self, root):
        self.root, self.how = root, mutated
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("d/train", TEXT)
            archive.writestr("d/valid", TEXT[:100])
        self.seed = out.getvalue()

    def read(self, data):
        (self.root / "a.zip").write_bytes(data)
        part = Part(corpus="a", member="d/train", max_bytes=len(TEXT.encode()))
        unpack(self.root / "a.zip", part, self.root / "a.txt")


def _classifier_file(root, name, how):
    save, ask_it = classifier_readers.save_a_classifier, classifier_readers.ask_classifier
    return ModelFile(root, name, save, how, ask_it)


READERS = {
    "model.safetensors": lambda root: ModelFile(
        root, "model.safetensors", lambda f: _save_lm(f, "char"), mutated_tensors
    ),
    "config.json": lambda root: ModelFile(
        root, "config.json", lambda f: _save_lm(f, "char"), mutated_json
    ),
    "training.json": lambda root: ModelFile(
        root, "training.json", lambda f: _save_lm(f, "char"), mutated_json
    ),
    "manifest.json": lambda root: ModelFile(
        root, "manifest.json", lambda f: _save_lm(f, "char"), mutated_json
    ),
    "README.md": lambda root: ModelFile(root, "README.md", lambda f: _save_lm(f, "char"), mutated),
    "vocab.json of characters": lambda root: ModelFile(
        root, "vocab.json", lambda f: _save_lm(f, "char"), mutated_json
    ),
    "vocab.json of words": lambda root: ModelFile(
        root, "vocab.json", lambda f: _save_lm(f, "word"), mutated_json
    ),
    "tokenizer.model of sentencepiece": lambda root: ModelFile(
        root, "tokenizer.model", lambda f: _save_lm(f, "bpe"), mutated
    ),
    "arrays of an n-gram model": lambda root: ModelFile(
        root, "model.safetensors", _save_ngram, mutated_tensors
    ),
    "config.json of an n-gram model": lambda root: ModelFile(
        root, "config.json", _save_ngram, mutated_json
    ),
    "vocab.json of an n-gram model": lambda root: ModelFile(
        root, "vocab.json", _save_ngram, mutated_json
    ),
    "arrays of word vectors": lambda root: ModelFile(
        root,
        "model.safetensors",
        more_readers.save_some_vectors,
        mutated_tensors,
        more_readers.ask_vectors,
    ),
    "config.json of word vectors": lambda root: ModelFile(
        root,
        "config.json",
        more_readers.save_some_vectors,
        mutated_json,
        more_readers.ask_vectors,
    ),
    "words.txt of word vectors": lambda root: ModelFile(
        root, "words.txt", more_readers.save_some_vectors, mutated, more_readers.ask_vectors
    ),
    "arrays of a tagger": lambda root: ModelFile(
        root,
        "model.safetensors",
        tagger_readers.save_a_tagger,
        mutated_tensors,
        tagger_readers.ask_tagger,
    ),
    "config.json of a tagger": lambda root: ModelFile(
        root, "config.json", tagger_readers.save_a_tagger, mutated_json, tagger_readers.ask_tagger
    ),
    "words.txt of a tagger": lambda root: ModelFile(
        root, "words.txt", tagger_readers.save_a_tagger, mutated, tagger_readers.ask_tagger
    ),
    "CoNLL-U": lambda root: tagger_readers.AnnotatedFile(root, tagger_readers.CONLLU),
    "columns of tags": lambda root: tagger_readers.AnnotatedFile(root, tagger_readers.COLUMNS),
    "arrays of a classifier": lambda root: _classifier_file(
        root, "model.safetensors", mutated_tensors
    ),
    "config.json of a classifier": lambda root: _classifier_file(root, "config.json", mutated_json),
    "words.txt of a classifier": lambda root: _classifier_file(root, "words.txt", mutated),
    "labelled csv": lambda root: classifier_readers.LabelledFile(root, "csv"),
    "labelled tsv": lambda root: classifier_readers.LabelledFile(root, "tsv"),
    "labelled jsonl": lambda root: classifier_readers.LabelledFile(root, "jsonl"),
    "labelled fasttext": lambda root: classifier_readers.LabelledFile(root, "fasttext"),
    "labelled space": lambda root: classifier_readers.LabelledFile(root, "space"),
    "metrics.jsonl": MetricsFile,
    "resume state, JSON": lambda root: ResumeFile(root, ".json", mutated_json),
    "resume state, tensors": lambda root: ResumeFile(root, ".safetensors", mutated_tensors),
    "ARPA": ArpaFile,
    "text": lambda root: CorpusFile(root, "", bytes),
    "text.gz": lambda root: CorpusFile(root, ".gz", gzip.compress),
    "text.xz": lambda root: CorpusFile(root, ".xz", lzma.compress),
    "text.bz2": lambda root: CorpusFile(root, ".bz2", bz2.compress),
    "zip": ZipFile,
    **more_readers.READERS,
}
