"""Parts of speech: accuracy beside the most frequent tag of each word, and speed without torch.

    python benchmarks/tagging.py MODEL TRAIN.conllu TEST.conllu [COLUMN]

MODEL is a tagger that `charlm train tagger TRAIN.conllu --valid DEV.conllu` made. Words are gold.
Speeds: all sentences at once, and one at a time, in words a second, words cut already; the second
time round, when the vectors of the test's words are kept, and with a new model, when none are.
"""

import sys
import time
from collections import Counter, defaultdict

from charlm.tagging.measuring import figures
from charlm.tagging.tagger import Tagger
from charlm.tasks.tag import open_tagger
from charlm.tasks.train_tagger_data import read_annotated


def most_frequent(train, sentences):
    """Return each word's most frequent tag, else that of its lower case, else the likeliest.

    For words unknown in any case: of words seen once that are, or are not, capitalised as they are.
    """
    counts, unknown = defaultdict(Counter), defaultdict(Counter)
    for sentence in train:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            for key in {word, word.lower()}:
                counts[key][tag] += 1
    for word, found in counts.items():
        if sum(found.values()) == 1:
            unknown[word[:1].isupper()].update(found)

    def best(word):
        found = counts.get(word) or counts.get(word.lower()) or unknown[word[:1].isupper()]
        return found.most_common(1)[0][0]

    return [[best(word) for word in sentence.words] for sentence in sentences]


def show(name, found):
    """Print figures."""
    print(
        f"{name:20} {found.accuracy:7.2%} {found.known_accuracy:7.2%} "
        f"{found.unknown_accuracy:7.2%} {found.sentence_accuracy:7.2%}"
    )


def speed(tagger, batches, words):
    """Return words a second over batches of sentences."""
    started = time.perf_counter()
    for batch in batches:
        tagger.tag(batch)
    return words / (time.perf_counter() - started)


def fresh(tagger):
    """Return the same tagger, no vector kept."""
    return Tagger(tagger.config, tagger.words, tagger.parts, tagger.tensors)


def main(model, train_file, test_file, column=""):
    """Measure and print."""
    tagger = open_tagger(model).tagger
    train = read_annotated([train_file], column).sentences
    test = read_annotated([test_file], column).sentences
    seen = tagger.is_seen([word for sentence in test for word in sentence.words])
    print(f"{'':20} {'all':>7} {'known':>7} {'unknown':>7} {'sentence':>8}")
    known = sorted({tag for sentence in train for tag in sentence.tags})
    show("most frequent tag", figures(test, most_frequent(train, test), seen, known))
    sentences = [sentence.words for sentence in test]
    show("charlm", figures(test, tagger.tag(sentences), seen, tagger.config.tags))
    words = sum(map(len, sentences))
    print(f"{words:,} words, {int((~seen).sum()):,} of them unknown")
    alone = [[sentence] for sentence in sentences[:1000]]
    few = sum(len(one[0]) for one in alone)
    for name, batches, number in (("all at once", [sentences], words), ("one by one", alone, few)):
        one = fresh(tagger)
        first, second = (speed(one, batches, number) for _ in range(2))
        print(f"{name:12} {first:9,.0f} words a second, again {second:9,.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
