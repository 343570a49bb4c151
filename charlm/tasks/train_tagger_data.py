"""What a tagger is trained on: sentences read, tags and words counted, the form settled."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from charlm.base.errors import CorpusError
from charlm.metrics.spans import is_bio
from charlm.tagging.config import MOST_TAGS, TaggerConfig
from charlm.tagging.folder import LEAST_BUCKETS
from charlm.tagging.moves import are_followed
from charlm.tagging.reading import Sentence, read_sentences
from charlm.tasks.train_tagger_config import TaggerTrainConfig
from charlm.tasks.train_tagger_vectors import GivenVectors
from charlm.text.corpora import open_corpus
from charlm.text.corpus import Corpus
from charlm.text.subwords import SubwordConfig, count_parts


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Annotated:
    """A file's sentences."""

    name: str
    description: str
    sentences: tuple[Sentence, ...]
    sha256: str
    warnings: tuple[str, ...]

    @property
    def words(self) -> int:
        """How many words there are."""
        return sum(len(sentence.words) for sentence in self.sentences)


def read_annotated(
    specs: Sequence[str],
    column: str,
    encoding_errors: str = "strict",
    *,
    conllu_column: str = "",
) -> Annotated:
    """Return the sentences of files, each file read by a layout of its own.

    Raises:
        CorpusError: if they cannot be read, hold no sentence, or no tag.
    """
    digest = hashlib.sha256()
    sentences: list[Sentence] = []
    corpora = [open_corpus([spec], encoding_errors=encoding_errors) for spec in specs]

    def pieces(corpus: Corpus) -> Iterator[str]:
        for text in corpus.read_parts():
            digest.update(text.encode("utf-8", "surrogatepass"))
            yield text

    for corpus in corpora:
        sentences += read_sentences(
            pieces(corpus), corpus.description, column, conllu_column=conllu_column
        )
    description = "; ".join(corpus.description for corpus in corpora)
    if not sentences:
        raise CorpusError(f"{description}: no sentence; expected CoNLL-U, or word TAB tag")
    if all(tag == "_" for sentence in sentences for tag in sentence.tags):
        raise CorpusError(
            f"{description}: every tag is _: column {column or 'upos'!r} is not annotated"
        )
    return Annotated(
        name=PurePath(corpora[0].name).stem or corpora[0].name,
        description=description,
        sentences=tuple(sentences),
        sha256=digest.hexdigest(),
        warnings=tuple(warning for corpus in corpora for warning in corpus.warnings),
    )


def settle_form(
    data: Annotated, config: TaggerTrainConfig, vectors: GivenVectors | None = None
) -> tuple[TaggerConfig, list[str], list[str]]:
    """Return the form of the tagger, its words as `Tagger` takes them, and the known parts.

    Raises:
        CorpusError: if there is a single tag, or far too many.
    """
    counts = Counter(word for sentence in data.sentences for word in sentence.words)
    tags = sorted({tag for sentence in data.sentences for tag in sentence.tags})
    if len(tags) == 1:
        raise CorpusError(
            f"{data.description}: a single tag, {tags[0][:40]!r}; there is nothing to learn"
        )
    if len(tags) > MOST_TAGS:
        raise CorpusError(
            f"{data.description}: {len(tags):,} different tags, at most {MOST_TAGS:,}; is "
            f"{config.column or 'the last'!r} the column of the tags?"
        )
    words = sorted(counts, key=lambda word: (-counts[word], word))
    known = _known(counts, config.min_count, vectors)
    within = SubwordConfig(affixes=config.affixes, max_ngram=config.max_ngram)
    numbers = count_parts(counts, within)
    parts = sorted(part for part, times in numbers.items() if times >= config.min_part_count)
    crf = is_bio(tags) if config.crf is None else config.crf
    form = TaggerConfig(
        tags=tuple(tags),
        column=data.sentences[0].column,
        words=len(words),
        crf=crf,
        whole_spans=crf and is_bio(tags) and are_followed(one.tags for one in data.sentences),
        members=config.members,
        known=len(known),
        vocab_size=len(known) + 1,
        subword_dim=config.subword_dim,
        buckets=max(LEAST_BUCKETS, len(parts) + 1),
        affixes=config.affixes,
        max_ngram=config.max_ngram,
        **_sizes(config, vectors),
    )
    return form, [*words, *known], parts


def _sizes(config: TaggerTrainConfig, vectors: GivenVectors | None) -> dict[str, Any]:
    """Return what the layers and the words' vectors measure, said or given."""
    said = {
        "word_dim": config.word_dim,
        "cell": config.cell,
        "reset": config.reset,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers or 1,
    }
    return said if vectors is None else said | vectors.sizes


def _known(counts: Mapping[str, int], min_count: int, vectors: GivenVectors | None) -> list[str]:
    """Return the words that get vectors of their own, in lower case, the most frequent first."""
    folded: Counter[str] = Counter()
    for word, count in counts.items():
        folded[word.lower()] += count
    found = [
        word
        for word, count in folded.items()
        if count >= min_count or (vectors is not None and vectors.has(word))
    ]
    found.sort(key=lambda word: (-folded[word], word))
    return found if vectors is None else [*found, *vectors.extra(frozenset(found))]
