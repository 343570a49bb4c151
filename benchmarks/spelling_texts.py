"""Texts for the spelling benchmark: what is trained on, what is tested on."""

import bisect
import csv
import json
import lzma
import random
import re

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BOOK_BEGINS = "The Project Gutenberg EBook of History of the United States"


def read_xz(path):
    """Return the text of an xz file."""
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as file:
        return file.read()


def write_training(data, folder):
    """Write 22 million words of modern and older English, the book under test left out.

    big.txt opens with that book: what comes before the next is left out, and any long line that
    the book has. wiki8 spells digits; runs of two and more become one number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digit = "(?:zero|one|two|three|four|five|six|seven|eight|nine)"
    wiki8 = re.sub(rf"\b{digit}(?: {digit})+\b", "0", read_xz(data / "wiki8/wiki8.xz"))
    (folder / "wiki8.txt").write_text(wiki8 + "\n")
    (folder / "wiki.txt").write_text(read_xz(data / "wiki-cased/train.txt.xz"))
    book = {_plain(line) for line in (data / "jamspell/sherlockholmes.txt").open()}
    big = read_xz(data / "norvig-big/big.txt.xz")
    lines = big[big.index(BOOK_BEGINS) :].splitlines()
    kept = [line for line in lines if len(line) <= 25 or _plain(line) not in book]
    (folder / "big.txt").write_text("\n".join(kept) + "\n")
    speeches = read_xz(data / "state-of-the-union/sotu.jsonl.xz").splitlines()
    (folder / "sotu.txt").write_text(
        "\n\n".join(json.loads(line)["text"] for line in speeches) + "\n"
    )
    obama = (read_xz(data / f"obama/speeches-{part}.txt.xz") for part in (1, 2))
    (folder / "obama.txt").write_text("\n".join(obama) + "\n")
    news = [
        re.sub(r" ?#\d+;", " ", row[1]).replace("\\", " ")
        for part in ("train_subset", "train_subset_desc")
        for row in csv.reader(read_xz(data / f"ag-news/{part}.csv.xz").splitlines())
    ]
    (folder / "news.txt").write_text("\n".join(news) + "\n")


def _plain(line):
    return re.sub(r"\W+", " ", line).strip()


def read_news(data):
    """Return the descriptions of AG News' test set, every other one: the rest tuned weights."""
    rows = csv.reader(read_xz(data / "ag-news/test.csv.xz").splitlines())
    texts = [re.sub(r" ?#\d+;", "'", row[2]).replace("\\", " ") for row in rows]
    return texts[1::2]


def mistyped(text, *, words, seed=42):
    """Return sentences (right words, mistyped words) by JamSpell's protocol.

    A word has an error with probability 1 - 0.97^letters, and two with a fifth of that; an error
    replaces (0.7), puts in, leaves out or exchanges (0.1 each). Words are a to z, sentences end
    at `.`, `?` and `!`. The draws are those of its evaluate.py, so that a seed gives its text.
    """
    random.seed(seed)
    plain = (c if c in ALPHABET else " . " if c in ".?!" else " " for c in text.lower())
    right = "".join(plain).split()
    wrong = [_mistype(word) for word in right]
    sentences, count, begun = [], 0, 0
    for place, word in enumerate([*right, "."]):
        if word == ".":
            if place > begun and count < words:
                sentences.append((right[begun:place], wrong[begun:place]))
                count += place - begun
            begun = place + 1
    return sentences


def _draw(weights):
    total, sums = 0.0, []
    for weight in weights:
        total += weight
        sums.append(total)
    return bisect.bisect([one / total for one in sums], random.random())


def _mistype(word):
    if word == ".":
        return word
    chance, wanted = random.random(), 1.0 - 0.97 ** len(word)
    for _ in range(2 if chance < 0.2 * wanted else 1 if chance < wanted else 0):
        kind = _draw((0.7, 0.1, 0.1, 0.1))
        if kind == 1:
            place = random.randint(0, len(word))
            word = word[:place] + random.choice(ALPHABET) + word[place:]
        elif word:
            place = random.randint(0, len(word) - 1)
            if kind == 0:
                word = word[:place] + random.choice(ALPHABET) + word[place + 1 :]
            elif kind == 2:
                word = word[:place] + word[place + 1 :]
            else:
                word = _exchange(word, place, _draw((0.8, 0.15, 0.04, 0.01)) + 1)
    return word


def _exchange(word, place, distance):
    first = max(0, place - distance // 2)
    second = min(len(word) - 1, first + distance)
    letters = list(word)
    letters[first], letters[second] = letters[second], letters[first]
    return "".join(letters)


def joined_sentence(tokens):
    """Return a text of tokens and where each begins: blanks but before closing marks and n't."""
    text, places = "", []
    for token in tokens:
        if text and not re.match(r"['.,;:!?)]|n't$", token.lower()) and token != "nt":
            text += " "
        places.append(len(text))
        text += token
    return text, places


def confused(sentences, sets, *, count, seed):
    """Return (right, wrong, place, right word, wrong word): a word replaced by one of its set."""
    rng = random.Random(seed)
    others = {}
    for words in sets:
        for word in words:
            others.setdefault(word, set()).update(set(words) - {word})
    return _replaced(sentences, rng, lambda word: sorted(others.get(word, ())), count, 12)


def confused_at_random(sentences, words, *, count, seed):
    """Return the same with any of some words that is one edit away."""
    rng = random.Random(seed)
    near = {}
    for word in words:
        for key in (word, *(word[:k] + word[k + 1 :] for k in range(len(word)))):
            near.setdefault(key, set()).add(word)

    def options(word):
        keys = (word, *(word[:k] + word[k + 1 :] for k in range(len(word))))
        found = set().union(*(near.get(key, ()) for key in keys)) - {word}
        return sorted(one for one in found if abs(len(one) - len(word)) <= 1 and len(word) > 3)

    return _replaced(sentences, rng, options, count, count)


def _replaced(sentences, rng, options, count, most):
    shuffled, used, found = list(sentences), {}, []
    rng.shuffle(shuffled)
    for sentence in shuffled:
        words = list(re.finditer(r"\b[a-z]+(?:'[a-z]+)?\b", sentence))
        rng.shuffle(words)
        for match in words:
            word = match[0]
            choices = options(word) if used.get(word, 0) < most else []
            if choices and len(words) > 5:
                used[word] = used.get(word, 0) + 1
                wrong = rng.choice(choices)
                line = sentence[: match.start()] + wrong + sentence[match.end() :]
                found.append((sentence, line, match.start(), word, wrong))
                break
        if len(found) >= count:
            break
    return found
