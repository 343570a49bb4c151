"""How fast a large text becomes ids: charlm beside gensim's and sentencepiece's ways.

    xz -dk wiki8.xz
    python benchmarks/tokenizing.py wiki8 [--workers 2]
    python benchmarks/tokenizing.py wiki8 --peers-python PEERS/bin/python

Counting is one pass over the text that ends in a vocabulary, encoding a second one that ends in a
file of ids; both include reading, decoding, checksums and the start of processes. Peers are
measured where they are installed, best in an environment of their own:

    python -m venv PEERS && PEERS/bin/pip install gensim sentencepiece

gensim's `LineSentence` and `Word2Vec.build_vocab` are counting alone (it never stores ids: every
epoch splits and looks up the text again); splitting and looking up is measured apart as `doc2idx`.
Of sentencepiece the encoding of an 8,000-piece unigram model trained on the first 5 MB is
measured, one thread and all, over 20 MB in lines of 1,000 words.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS_A_LINE = 1_000


def ours(path: str, names: list[str], workers: int | None) -> None:
    """Print charlm's rates for some tokenizers."""
    from charlm.text import building
    from charlm.text.building import encode_text, learn_tokenizer
    from charlm.text.corpora import open_corpus
    from charlm.text.measuring import measure
    from charlm.text.tokenizers import TokenizerConfig

    if workers is not None:
        building.cores = lambda: workers
    size = Path(path).stat().st_size / 1e6
    for name in names:
        with tempfile.TemporaryDirectory() as home:
            os.environ["CHARLM_HOME"] = home
            begun = time.perf_counter()
            text = finished(measure(open_corpus([path]), keep=0))
            looked = time.perf_counter()
            config = TokenizerConfig()
            tokenizer = finished(learn_tokenizer(text, 0, text.chars, name, config))
            counted = time.perf_counter()
            ids = finished(encode_text(text, 0, text.chars, tokenizer)).ids
            ended = time.perf_counter()
        print(
            f"charlm {name:<10} {building.cores()} processors: measuring {looked - begun:.2f} s, "
            f"learning {size / (counted - looked):.1f} MB/s, "
            f"encoding {size / (ended - counted):.1f} MB/s, "
            f"all {size / (ended - begun):.1f} MB/s; "
            f"{len(ids):,} ids of {tokenizer.vocab_size:,}, {ids.dtype}",
            flush=True,
        )


def finished(work):
    """Return what a generator returns at its end."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def lines_of(path: str) -> list[str]:
    """Return the words of a text in lines that peers can take."""
    words = Path(path).read_text(encoding="utf-8").split()
    starts = range(0, len(words), WORDS_A_LINE)
    return [" ".join(words[start : start + WORDS_A_LINE]) for start in starts]


def gensim_rates(path: str) -> None:
    """Print gensim's rates, if it is here."""
    try:
        import gensim
        from gensim.corpora import Dictionary
        from gensim.models import Word2Vec
    except ImportError:
        print("gensim is not here")
        return
    size = Path(path).stat().st_size / 1e6
    lines = lines_of(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lines.txt")
        file.write_text("\n".join(lines), encoding="utf-8")
        model = Word2Vec(min_count=5, workers=os.cpu_count() or 1)
        begun = time.perf_counter()
        model.build_vocab(corpus_file=str(file))
        print(
            f"gensim {gensim.__version__} build_vocab(corpus_file): "
            f"{size / (time.perf_counter() - begun):.1f} MB/s, one process"
        )
    dictionary = Dictionary()
    dictionary.token2id = {word: index for index, word in enumerate(model.wv.index_to_key)}
    begun = time.perf_counter()
    for line in lines:
        dictionary.doc2idx(line.split())
    print(f"gensim doc2idx: {size / (time.perf_counter() - begun):.1f} MB/s, one process")


def sentencepiece_rates(path: str) -> None:
    """Print sentencepiece's rates, if it is here."""
    try:
        import sentencepiece
    except ImportError:
        print("sentencepiece is not here")
        return
    lines = lines_of(path)[: 20_000_000 // 6_000]
    size = sum(map(len, lines)) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        prefix = str(Path(folder, "model"))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines[: 5_000_000 // 6_000]),
            model_prefix=prefix,
            vocab_size=8_000,
            max_sentence_length=20_000,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    for threads in (1, os.cpu_count() or 1):
        begun = time.perf_counter()
        for start in range(0, len(lines), 1_000):
            processor.encode(lines[start : start + 1_000], num_threads=threads)
        rate = size / (time.perf_counter() - begun)
        print(f"sentencepiece {sentencepiece.__version__} encode: {rate:.1f} MB/s, {threads} thr.")


def main() -> None:
    """Print the rates of one text."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", help="a plain text file, such as wiki8")
    parser.add_argument("--tokenizers", nargs="*", default=["char", "word", "whitespace"])
    parser.add_argument("--workers", type=int, help="processes; else as many as processors")
    parser.add_argument("--peers-python", help="the Python of an environment with the peers")
    parser.add_argument("--peers-only", action="store_true", help="leave charlm out")
    given = parser.parse_args()
    if not given.peers_only:
        ours(given.text, given.tokenizers, given.workers)
    if given.peers_python:
        command = [given.peers_python, __file__, given.text, "--peers-only"]
        subprocess.run(command, check=True)
    elif given.peers_only:
        gensim_rates(given.text)
        sentencepiece_rates(given.text)


if __name__ == "__main__":
    sys.exit(main())
