"""Make the table of misspellings that charlm ships: `charlm/spelling/channel.json`.

    python benchmarks/spelling_channel.py /path/to/data > charlm/spelling/channel.json

Learnt from three lists under CC BY-SA: Wikipedia's common misspellings (half of the target words),
TOEFL-Spell (the half of the target words whose CRC-32 is even), and the corrections of the train
part of UD English-EWT. Words of Norvig's test set are left out. The table holds edit costs and
rules of up to three letters, no word of the lists; the sets of words that are written for each
other and of those written as one are our own (`spelling_confusions.txt`, `spelling_fused.txt`).
"""

import csv
import json
import lzma
import re
import sys
import zlib
from pathlib import Path

from charlm.spelling.learning import learn_channel

CONFUSIONS = Path(__file__).parent / "spelling_confusions.txt"
FUSED = Path(__file__).parent / "spelling_fused.txt"


def read_dat(path):
    """Yield pairs (word, misspelling) of a list with `$word` before its misspellings."""
    word = ""
    for line in path.read_text(encoding="utf-8", errors="replace").lower().splitlines():
        if line.startswith("$"):
            word = line[1:].strip().replace("_", " ")
        elif line.strip():
            yield word, line.strip().replace("_", " ")


def read_toefl(path):
    """Yield pairs of TOEFL-Spell."""
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["Correction"].strip().lower(), row["Misspelling"].strip().lower()


def read_norvig(path):
    """Yield pairs of Norvig's lists."""
    for line in path.read_text(encoding="utf-8").lower().splitlines():
        word, _, typed = line.partition(":")
        yield from ((word.strip(), one) for one in typed.split())


def read_ewt(path):
    """Yield sentences of UD English-EWT: lists of (form, correct form)."""
    opener = lzma.open if path.suffix == ".xz" else open
    sentence = []
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if len(cells) < 10:
                if not line.strip() and sentence:
                    yield sentence
                    sentence = []
            elif cells[0].isdigit():
                found = re.search(r"CorrectForm=([^|]*)", cells[9])
                correct = cells[1] if not found else "" if found[1] == "_" else found[1]
                sentence.append((cells[1], correct))


def is_even(word):
    """Return whether a word belongs to the half that is learnt from."""
    return zlib.crc32(word.encode()) % 2 == 0


def main(data):
    """Write the table to stdout."""
    tested = {word for word, _ in read_norvig(data / "spelling/norvig-testset1.txt")}
    pairs = list(read_dat(data / "spelling/wikipedia.half.dat"))
    pairs += [pair for pair in read_toefl(data / "spelling/toefl-spell.tsv") if is_even(pair[0])]
    for sentence in read_ewt(data / "pos-en/en_ewt-ud-train.conllu.xz"):
        for form, correct in sentence:
            typed, word = form.lower(), correct.lower()
            if typed != word and typed.isalpha() and word.isalpha():
                pairs.append((word, typed))
    confused = [
        line.split() for line in CONFUSIONS.read_text().splitlines() if not line.startswith("#")
    ]
    table = learn_channel(
        [pair for pair in pairs if pair[0] not in tested],
        source="Wikipedia's common misspellings, TOEFL-Spell and UD English-EWT (CC BY-SA)",
        confused=confused,
    )
    lines = FUSED.read_text().splitlines()
    table["fused"] = [line for line in lines if not line.startswith("#")]
    print(json.dumps(table, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
