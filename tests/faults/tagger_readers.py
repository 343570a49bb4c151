"""Taggers and annotated text: examples and readers."""

import numpy as np
from mutation import mutated

from charlm.tagging.config import TaggerConfig
from charlm.tagging.folder import save_tagger
from charlm.tasks.tag import OpenTagger, conllu_lines, evaluate_tagger, open_tagger, tag_annotated
from charlm.tasks.tag import tag_lines as tag_some
from charlm.tasks.train_tagger_data import read_annotated

CONLLU = (
    "# text = He's in.\n"
    "1-2\tHe's\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tHe\the\tPRON\tPRP\t_\t3\tnsubj\t_\t_\n"
    "2\t's\tbe\tAUX\tVBZ\t_\t3\tcop\t_\t_\n"
    "2.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "3\tin\tin\tA\tRB\t_\t0\troot\t_\tSpaceAfter=No\n\n"
)
COLUMNS = "He\tB-X\nis\tO\n\nin\tI-X\n"


PARTS = ("sx", "phe", "ein", "n<he", "sX", "pi", "en", "nxyz")


def save_a_tagger(folder):
    """Save a folder of a tiny tagger."""
    config = TaggerConfig(
        tags=("A", "B-X", "O"),
        words=3,
        known=2,
        vocab_size=3,
        word_dim=2,
        subword_dim=2,
        buckets=9,
        hidden_size=3,
        crf=True,
    )
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes}
    save_tagger(
        folder,
        config,
        ["he", "in", "\u4e2d", "he", "in"],
        PARTS,
        tensors,
        training={"steps": 1},
        card="# tags\n",
    )


def ask_tagger(folder):
    """Tag, in all forms."""
    tagger = open_tagger(str(folder)).tagger
    for one in tag_some(tagger, ["He is in.", "", "\u4e2d\u6587"]):
        conllu_lines(one, tagger.config.column)


class AnnotatedFile:
    """Annotated sentences, read, measured on and tagged anew."""

    def __init__(self, root, text):
        self.path, self.how, self.seed = root / "lines.txt", mutated, text.encode()
        save_a_tagger(root / "t")
        opened = open_tagger(str(root / "t"))
        self.opened = OpenTagger("t", root / "t", opened.tagger)

    def read(self, data):
        self.path.write_bytes(data)
        read_annotated([str(self.path)], "", "replace")
        evaluate_tagger(self.opened, [str(self.path)], encoding_errors="replace")
        for one in tag_annotated(self.opened.tagger, [data.decode(errors="replace")], "-"):
            conllu_lines(one, "upos")
