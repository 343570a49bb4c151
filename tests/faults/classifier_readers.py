"""A classifier's folder and labelled files, whole, and readers that go all the way."""

import numpy as np
from mutation import mutated

from charlm.classifying.config import ClassifierConfig
from charlm.classifying.folder import save_classifier
from charlm.tasks.classify import classify, open_classifier
from charlm.tasks.labelled import read_labelled
from charlm.tasks.train_classifier_config import LabelledConfig

WORDS = ("good", "bad", "中", "é")
LABELLED = {
    "csv": 'label,title,text\n1,a,"b, ""c"""\n"x y",é,"two\nlines"\n',
    "tsv": "1\ta b\n2\t中\n",
    "fasttext": "__label__a one text\n__label__b,c another\n",
    "jsonl": '{"label": 1, "text": "a b"}\n{"label": "x", "text": "\u4e2d"}\n',
    "space": "1 a text\n0 another one\n",
}


def save_a_classifier(folder):
    """Save a classifier of both branches in a folder."""
    config = ClassifierConfig(
        labels=("a", "b c", "é"),
        ngrams=5,
        num_layers=1,
        pooling="attention",
        vocab_size=len(WORDS) + 1,
        word_dim=3,
        subword_dim=2,
        buckets=20,
        hidden_size=4,
    )
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.normal(0.0, 0.5, shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }
    tensors["ngram_keys"] = np.arange(5, dtype=np.uint64) << np.uint64(60)
    save_classifier(folder, config, WORDS, tensors, training={"steps": 2}, card="# a card\n")


def ask_classifier(folder):
    """Label and explain texts with the classifier of a folder."""
    texts = ["good, not bad!", "", "é 中 other"]
    list(classify(open_classifier(str(folder)), texts, top=2, explained=True))


class LabelledFile:
    """A labelled file of some form."""

    def __init__(self, root, form):
        self.path, self.how = root / "labelled.txt", mutated
        self.config = LabelledConfig(format=form)
        self.seed = LABELLED[form].encode()

    def read(self, data):
        self.path.write_bytes(data)
        for config in (self.config, LabelledConfig()):
            read_labelled([str(self.path)], config)
