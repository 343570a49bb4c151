"""Tagged words: `word/TAG` in lines, colours on a terminal; a tagger's figures as tables."""

from __future__ import annotations

import dataclasses
import sys
import zlib
from typing import Any

from charlm.render.console import one_line, out, wants_color
from charlm.render.tables import show_facts, show_table
from charlm.tasks.tag import Tagged, TaggerEvaluation

# Inks that every terminal has; those of the universal tags, and one each for all others.
_INKS = {
    **dict.fromkeys(("NOUN", "PROPN"), "36"),
    **dict.fromkeys(("VERB", "AUX"), "31"),
    **dict.fromkeys(("ADJ", "ADV"), "32"),
    **dict.fromkeys(("PRON", "DET"), "35"),
    **dict.fromkeys(("ADP", "PART", "CCONJ", "SCONJ"), "34"),
    **dict.fromkeys(("NUM", "INTJ", "SYM", "X"), "33"),
    **dict.fromkeys(("PUNCT", "O", "_"), "2"),
}
_OTHERS = ("36", "31", "32", "35", "34", "33")


def tag_line(tagged: Tagged, *, colored: bool = False) -> str:
    r"""Return a sentence as `word/TAG`, blanks between; each pair is one blank-free piece.

    Blanks within a word or a tag become `_`, a slash within a tag `\/`: the last bare slash of a
    piece parts word and tag.

    Example:
        >>> tag_line(Tagged(("I", "and/or", "10 000"), ("PRON", "CCONJ", "A/B")))
        'I/PRON and/or/CCONJ 10_000/A\\/B'
    """
    pairs = zip(tagged.tokens, tagged.tags, strict=True)
    return " ".join(_piece(word, tag, colored) for word, tag in pairs)


def _piece(word: str, tag: str, colored: bool) -> str:
    word = "_".join(one_line(word).split()) if " " in word else one_line(word)
    shown = "_".join(one_line(tag).split()).replace("/", "\\/")
    if not colored:
        return f"{word}/{shown}"
    return f"\x1b[{ink(tag)}m{word}\x1b[0m\x1b[2m/{shown}\x1b[0m"


def ink(tag: str) -> str:
    """Return the colour of a tag, the same in every run; spans are coloured by their label."""
    if tag in _INKS:
        return _INKS[tag]
    label = tag[2:] if tag[1:2] == "-" else tag
    return _OTHERS[zlib.crc32(label.encode("utf-8", "surrogatepass")) % len(_OTHERS)]


def show_tagged(tagged: Tagged) -> None:
    """Write a sentence to stdout, coloured where stdout is."""
    out(tag_line(tagged, colored=wants_color(sys.stdout)), trusted=True)


def figures_record(result: TaggerEvaluation) -> dict[str, Any]:
    """Return a tagger's figures as one JSON object."""
    figures = dataclasses.asdict(result.figures)
    tags, spans = figures.pop("tags"), figures.pop("spans")
    record = {"model": result.model, "file": result.file, **figures}
    record["tags"] = {one.pop("label"): one for one in tags}
    if spans:
        record["span_f1"] = spans[0]["f1"]
        record["spans"] = {one.pop("label") or "all": one for one in spans}
    return record


def show_figures(result: TaggerEvaluation) -> None:
    """Write a tagger's figures: each tag, spans, then all together."""
    figures = result.figures
    _show_labels("tag", [one for one in figures.tags if one.gold or one.predicted])
    if figures.spans:
        _show_labels("spans", [dataclasses.replace(figures.spans[0], label="all")])
        _show_labels("span", list(figures.spans[1:]))
    facts = [
        ("model", result.model),
        ("file", result.file),
        ("accuracy", f"{figures.accuracy:.2%} of {figures.words:,} words"),
        ("known words", f"{figures.known_accuracy:.2%}"),
        ("unknown", f"{figures.unknown_accuracy:.2%} of {figures.unknown_words:,} words"),
        ("sentences", f"{figures.sentence_accuracy:.2%} of {figures.sentences:,} wholly right"),
    ]
    if figures.spans:
        facts.append(("span F1", f"{figures.spans[0].f1:.2%}"))
    show_facts(facts)


def _show_labels(title: str, labels: list[Any]) -> None:
    rows = [
        [
            f"{one.precision:.1%}",
            f"{one.recall:.1%}",
            f"{one.f1:.1%}",
            f"{one.gold:,}",
            one_line(one.label),
        ]
        for one in labels
    ]
    if rows:
        show_table(("precision", "recall", "F1", "words", title), rows, right=(0, 1, 2, 3))
        out()
