"""Every command on a terminal, over texts, vocabularies, names and errors that try to steer it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from terminal import ROOT as ROOT_FOLDER
from terminal import on_terminal

from charlm.classifying.config import ClassifierConfig
from charlm.classifying.folder import save_classifier
from charlm.cli.command import Group
from charlm.cli.root import ROOT
from charlm.engine.config import LanguageModelConfig
from charlm.ngram.folder import save_ngram
from charlm.ngram.kneser_ney import build_ngram
from charlm.store.checkpoint import save_model
from charlm.tagging.config import TaggerConfig
from charlm.tagging.folder import save_tagger
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer
from charlm.vectors.config import VectorsConfig
from charlm.vectors.folder import save_vectors
from charlm.vectors.words import Words
from tests.spelling.making import save_made

# Colours and the moves of a redrawn line are charlm's own; none of the evil ones looks so.
OWN = re.compile(r"\x1b\[(?:[0-9;]{0,30}m|\?25[hl]|[0-9]?[AKG])|\r")
EVIL = (
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x1b[999;999H",
    "\x1bc",
    "\x9b5n",
    "\x9dq\x9c",
    "\u202egnp.exe\u202c",
    "\u2066x\u2069",
    "\u200f",
    "\x7f\x08\x08",
    "[bold red]loud[/bold red]",
    "[/nothing]",
    "[link=http://x]y[/link]",
    "\U000e0041",
)
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
NAME = "evil\x1b]0;t\x07\u202e[red]"
TEXT = " ".join(EVIL) + "\n" + "the cat sat on the mat\n"


def make_model(folder, name="whitespace"):
    tokenizer = train_tokenizer(name, [TEXT], TokenizerConfig())
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=4, embedding_dim=4, num_layers=1
    )
    shapes = config.tensor_shapes().items()
    save_model(
        folder,
        kind="lm",
        model_config={key: getattr(config, key) for key in config.__dataclass_fields__},
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors={name: np.zeros(shape, np.float32) for name, shape in shapes},
        training={"corpus": [TEXT], "note": TEXT, TEXT: TEXT, "valid": {"perplexity": 2.0}},
        card=f"# {TEXT}",
    )
    records = ({"kind": "step", "step": step, "bits_per_char": 4.0 - step} for step in range(3))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


def save_labels(folder):
    tensors = {
        "bias": np.arange(len(EVIL), dtype=np.float32),
        "ngram_keys": np.arange(3, dtype=np.uint64),
        "ngram_weights": np.ones((3, len(EVIL)), np.float32),
    }
    config = ClassifierConfig(labels=EVIL, ngrams=3)
    save_classifier(folder, config, [], tensors, training={"note": TEXT}, card=TEXT)


def save_tags(folder):
    config = TaggerConfig(
        tags=EVIL,
        words=2,
        known=1,
        vocab_size=2,
        word_dim=2,
        subword_dim=2,
        buckets=9,
        hidden_size=2,
    )
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes}
    parts = [f"p{number}" for number in range(8)]
    save_tagger(
        folder, config, ["the", EVIL[0], "the"], parts, tensors, training={"note": TEXT}, card=TEXT
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "checkpoints").mkdir()
    make_model(home / "checkpoints" / "words")
    make_model(home / "checkpoints" / NAME, "char")
    make_model(home / "checkpoints" / "broken\x1b[2J")
    (home / "checkpoints" / "broken\x1b[2J" / "config.json").write_text(TEXT)
    tokenizer = train_tokenizer("whitespace", [TEXT], TokenizerConfig())
    model = build_ngram(tokenizer.encode(TEXT), vocab_size=tokenizer.vocab_size, order=2)
    save_ngram(
        home / "checkpoints" / "grams",
        model,
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        training={"note": TEXT},
        card=TEXT,
    )
    words = (*EVIL, "the", "cat", "sat")
    save_vectors(
        home / "checkpoints" / "points",
        VectorsConfig(words=len(words), dim=4),
        Words.of(words),
        np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32),
        np.arange(len(words), 0, -1),
        tokenizer_config={"kind": "word"},
        training={"note": TEXT},
        card=TEXT,
    )
    save_made(home / "checkpoints" / "spells", TEXT * 30)
    save_labels(home / "checkpoints" / "labels")
    save_tags(home / "checkpoints" / "tags")
    (home / f"{NAME}.tags").write_text("".join(f"the\t{evil}\n{evil}\tO\n" for evil in EVIL))
    (home / f"{NAME}.pairs").write_text(f"the\tcat\t{TEXT}\n")
    (home / "corpora").mkdir()
    for path in (home / f"{NAME}.txt", home / "corpora" / "mine.txt"):
        path.write_text(TEXT * 4)
    rows = (f'"{evil}","{one}"\n' for evil in EVIL for one in ("the cat", EVIL[0]))
    (home / f"{NAME}.csv").write_text("".join(rows))
    (home / f"{NAME}.bin").write_bytes(b"\0\1")
    (home / f"{NAME}.arpa").write_text(f"\\data\\\nngram 1={TEXT}")
    return home


EVIL_PATH = f"./checkpoints/{NAME}"
NARROW = ("models", "show", "plot", "score", "corpus", "inspect")
LINES = [
    ["sample", "-m", "words", "-n", "40", "--seed", "1"],
    ["sample", "-m", "words", "-n", "3", "--num-samples", "2", TEXT],
    ["sample", "-m", "words", "-n", "3", "--beam-size", "2", TEXT],
    ["sample", "-m", "grams", "-n", "20", "--stats", TEXT],
    ["sample", "-m", EVIL_PATH, "-n", "200"],
    ["sample", "-m", EVIL_PATH, "-n", "20", "--json", "--stop", TEXT],
    ["score", "-m", "words", TEXT, NAME],
    ["score", "-m", "words", "--tokens", TEXT],
    ["score", "-m", EVIL_PATH, "--tokens", TEXT],
    ["score", "-m", EVIL_PATH, "--heatmap", TEXT],
    ["score", "-m", EVIL_PATH, "--json", "--tokens", TEXT],
    ["rank", "-m", "words", TEXT, "the cat"],
    ["evaluate", "-m", "words", f"{NAME}.txt"],
    ["neighbors", "-m", "points", "the"],
    ["neighbors", "-m", "points", EVIL[0], TEXT],
    ["neighbors", "-m", "points", "the", "--json"],
    ["neighbors", "-m", f"./{NAME}.txt", "the"],
    ["neighbors", "-m", "words", "--in-context", TEXT, "--word", EVIL[0], "--among", f"{NAME}.txt"],
    ["neighbors", "-m", "words", "--in-context", "the cat", "--word", "cat", "--among", NAME],
    ["neighbors", "-m", "words", "--in-context", "the cat", "--word", TEXT, "--json"],
    ["embed", "-m", "words", TEXT, "the cat"],
    ["embed", "-m", EVIL_PATH, TEXT],
    ["embed", "-m", "words", "--layer", NAME, TEXT],
    ["inspect", "gradients", "-m", "words", TEXT],
    ["inspect", "gradients", "-m", EVIL_PATH, TEXT],
    ["inspect", "gradients", "-m", EVIL_PATH, "--json", TEXT],
    ["inspect", "neurons", "-m", EVIL_PATH, TEXT],
    ["inspect", "neurons", "-m", "words", "--unit", "1", TEXT],
    ["inspect", "neurons", "-m", EVIL_PATH, "--unit", "2", TEXT],
    ["inspect", "gates", "-m", EVIL_PATH, TEXT],
    ["inspect", "gates", "-m", "words", TEXT],
    ["inspect", "gates", "-m", NAME, TEXT],
    ["analogy", "-m", "points", "the", "cat", "sat"],
    ["analogy", "-m", "points", "the", "cat", NAME],
    ["vectors", "evaluate", f"{NAME}.pairs", "-m", "points"],
    ["vectors", "cluster", "-m", "points", "--clusters", "3"],
    ["vectors", "shift", "points", "points", "--min-count", "0"],
    ["vectors", "shift", "points", "points", EVIL[0], TEXT, NAME],
    [
        *("vectors", "bias", "-m", "points", "--targets-a", EVIL[0], "--targets-b", f"the,{NAME}"),
        *("--attributes-a", "cat", "--attributes-b", f"sat,{EVIL[1]}"),
    ],
    ["vectors", "bias", "-m", "points", "--direction", f"the,{EVIL[0]}", "cat", EVIL[1], NAME],
    ["vectors", "plot", "-m", "points"],
    ["vectors", "convert", "points", f"{NAME}.made"],
    ["export", "words", f"{NAME}.pt"],
    ["export", NAME, f"{NAME}.pt"],
    ["vectors", "convert", f"{NAME}.txt", "-o", NAME],
    ["spell", "-m", "spells", TEXT, "teh cta"],
    ["spell", "-m", "spells", "--show", f"teh {TEXT}"],
    ["spell", "-m", "spells", "--explain", f"teh {TEXT}"],
    ["spell", "-m", "spells", "--json", f"teh {TEXT}"],
    ["spell", "-m", "spells", "--words", f"{NAME}.pairs", "teh"],
    ["spell", "-m", EVIL_PATH, "teh"],
    ["classify", "-m", "labels", TEXT, "the cat", "--top", "99"],
    ["classify", "-m", "labels", TEXT, "--json", "--top", "99"],
    ["classify", "-m", "labels", TEXT, "--explain"],
    ["evaluate", "-m", "labels", f"{NAME}.pairs"],
    ["evaluate", "-m", "labels", f"{NAME}.csv"],
    ["train", "classifier", f"{NAME}.csv", "-o", "told", "--epochs", "1"],
    ["train", "classifier", f"{NAME}.pairs"],
    ["tag", "-m", "tags", TEXT, "the cat"],
    ["tag", "-m", "tags", "--json", TEXT],
    ["tag", "-m", "tags", "--conllu", TEXT],
    ["evaluate", "-m", "tags", f"{NAME}.tags"],
    ["evaluate", "-m", "tags", f"{NAME}.csv"],
    ["train", "tagger", f"{NAME}.tags", "--epochs", "1", "--hidden-size", "2", "-o", "tagged"],
    ["train", "tagger", f"{NAME}.pairs"],
    ["train", "speller", f"{NAME}.txt", "-o", "spelt"],
    ["train", "vectors", f"{NAME}.txt", "--min-count", "1", "--dim", "4", "-o", "learnt"],
    ["repl", "-m", "no"],
    ["repl", "-m", NAME],
    ["config", "show"],
    ["config", "show", "--json"],
    ["config", "edit", NAME],
    ["models"],
    ["models", "--json"],
    ["show", "words"],
    ["show", EVIL_PATH],
    ["show", EVIL_PATH, "--json"],
    ["show", "./checkpoints/broken\x1b[2J"],
    ["plot", EVIL_PATH, "words"],
    ["doctor", EVIL_PATH, "./checkpoints/broken\x1b[2J"],
    ["doctor", EVIL_PATH, "--json"],
    ["corpus", "list"],
    ["corpus", "show", "mine"],
    ["corpus", "show", f"{NAME}.txt"],
    ["corpus", "show", f"{NAME}.txt", "--json"],
    ["corpus", "show", f"{NAME}.bin"],
    ["corpus", "add", NAME, f"{NAME}.txt"],
    ["corpus", "add", "again", f"{NAME}.txt"],
    ["corpus", "fetch", NAME],
    ["train", "ngram", f"{NAME}.txt", "--tokenizer", "whitespace", "-o", "made"],
    ["train", "ngram", f"{NAME}.arpa"],
    ["train", "ngram", f"{NAME}.txt", "-o", NAME],
    ["sample", "-m", NAME],
    ["sample", "-m", f"./{NAME}"],
    ["sample", f"--{NAME}"],
    ["sample", "--temperature", NAME],
    ["sample", "--no-such", TEXT],
    [NAME],
    ["corpus", NAME],
    ["help", NAME],
    ["train", f"{NAME}.nothing", "--dry-run"],
    ["train", f"{NAME}.txt", "--cell", NAME],
    ["train", "--tokenizer", NAME, f"{NAME}.txt"],
]


def require_harmless(text):
    rest = OWN.sub("", text)
    if found := FORBIDDEN.search(rest):
        place = found.start()
        raise AssertionError(repr(rest[max(place - 100, 0) : place + 60]))


def test_every_command_is_in_the_list():
    groups = {name: one for name, one in ROOT.commands.items() if isinstance(one, Group)}
    tried = {line[0] for line in LINES}
    assert set(ROOT.commands) <= tried
    for name, group in groups.items():
        assert set(group.commands) <= {line[1] for line in LINES if line[0] == name} | {"lm"}


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["colour", "plain"])
def test_fault_60_nothing_steers_a_terminal(home, variables):
    found = on_terminal(home, LINES, **variables)
    shown = {}
    for argv, (status, text) in zip(LINES, found, strict=True):
        require_harmless(text)
        assert "Traceback" not in text
        assert "internal error" not in text, (argv, text)
        assert status in (0, 1, 2)
        shown[tuple(argv)] = text
        if variables:
            assert "\x1b[" not in text or argv[0] in ("corpus", "train"), argv
    for line in (("show", "words"), ("corpus", "show", "mine")):
        text = shown[line]
        assert "\\x1b]0;title\\x07" in text
        assert "[bold red]loud[/bold red]" in text.replace("\r\n", "")
        assert "\\u202egnp.exe" in text


def test_fault_58_terminals_of_any_width_will_do(home):
    lines = [line for line in LINES if line[0] in NARROW]
    for columns, rows in ((20, 10), (1, 1)):
        for argv, (_, text) in zip(
            lines, on_terminal(home, lines, columns=columns, rows=rows), strict=True
        ):
            require_harmless(text)
            assert "internal error" not in text, (argv, columns, text)


def test_fault_59_a_dumb_terminal_gets_no_colours(home):
    for argv, (_, text) in zip(LINES, on_terminal(home, LINES[:24], TERM="dumb"), strict=False):
        assert "\x1b" not in text, argv


def test_fault_60_a_training_on_a_terminal_is_harmless(home):
    line = [
        *("train", "lm", f"{NAME}.txt", "-o", "trained", "--overwrite", "--hidden-size", "8"),
        *("--embedding-dim", "4", "--batch-size", "2", "--bptt", "8", "--max-steps", "30"),
        *("--precision", "float32", "--threads", "1", "--sample-every", "1s"),
    ]
    [(status, text)] = on_terminal(home, [line])
    assert status == 0, text
    require_harmless(text)


def test_a_pipe_gets_the_exact_bytes(home):
    done = subprocess.run(
        [sys.executable, "-m", "charlm", "sample", "-m", "words", "-n", "0", EVIL[0]],
        cwd=home,
        env={"PYTHONPATH": str(ROOT_FOLDER), "CHARLM_HOME": str(home), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == EVIL[0].encode() + b"\n"
