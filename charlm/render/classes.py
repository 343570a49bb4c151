"""Labels of texts, and a classifier's figures, on a terminal and as records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from charlm.render.console import one_line, out, sanitize
from charlm.render.tables import plural, show_facts, show_table

if TYPE_CHECKING:
    from charlm.tasks.classify import Classified
    from charlm.tasks.evaluate_classifier import ClassifierEvaluation, Judgement

# Nats of log-odds at which a mark begins, and its colours, of those that every terminal has.
_LEVELS = (0.2, 0.6, 1.5)
_FOR = ("32", "1;32", "30;42")
_AGAINST = ("31", "1;31", "97;41")
_MOST_CONFUSED = 20  # labels of a confusion matrix that is shown


def label_line(found: Classified) -> str:
    r"""Return a text's labels as a line: each with its probability, parted by tabs.

    Line ends and tabs within a label are written `\n` and `\t`, so that a line stays one.
    """
    return "\t".join(f"{one_line(label)}\t{probability:.4f}" for label, probability in found.labels)


def explained(found: Classified, *, color: bool) -> str:
    """Return a text with its words marked by how much they speak for its label.

    With colours green speaks for it and red against; without, a word is followed by the nats, as
    in `{great +1.2}`. What is below 0.2 nats is not marked.
    """
    parts, place = [], 0
    for start, end, _, influence in found.words:
        parts.append(sanitize(found.text[place:start]))
        word = sanitize(found.text[start:end])
        size = sum(abs(influence) >= least for least in _LEVELS)
        if not size:
            parts.append(word)
        elif color:
            parts.append(f"\x1b[{(_FOR if influence > 0 else _AGAINST)[size - 1]}m{word}\x1b[0m")
        else:
            parts.append(f"{{{word} {influence:+.1f}}}")
        place = end
    return "".join(parts) + sanitize(found.text[place:])


def legend(*, color: bool) -> str:
    """Return what the marks of `explained` mean, in a line."""
    if color:
        return f"\x1b[{_FOR[1]}mfor\x1b[0m and \x1b[{_AGAINST[1]}magainst\x1b[0m the label"
    return "{word +1.2}: without it the log-odds of the label are 1.2 nats lower"


def label_record(found: Classified, *, top: int) -> dict[str, Any]:
    """Return the object of `charlm classify --json`; with `top` over 1 also further labels."""
    record: dict[str, Any] = {
        "text": found.text,
        "label": found.label,
        "probability": round(found.probability, 6),
    }
    if top > 1:
        record["labels"] = [
            {"label": label, "probability": round(probability, 6)}
            for label, probability in found.labels
        ]
    if found.words:
        record["words"] = [
            {"start": one.start, "end": one.end, "influence": round(one.influence, 4)}
            for one in found.words
        ]
    return record


def accuracy_words(judged: Judgement) -> str:
    """Return the figures of a judgement in a line."""
    return (
        f"{judged.accuracy:.2%} of {plural(judged.texts, 'text')} right, "
        f"macro F1 {judged.macro_f1:.4f}"
    )


def evaluation_record(found: ClassifierEvaluation) -> dict[str, Any]:
    """Return the object of `charlm evaluate --json` for a classifier."""
    judged = found.judgement
    return {
        "model": found.model,
        "file": found.file,
        **judged.record(),
        "labels": list(judged.labels),
        "confusion": judged.confusion.tolist(),
        "unseen": dict(judged.unseen),
    }


def show_evaluation(found: ClassifierEvaluation) -> None:
    """Write a classifier's figures: each label's, then which was taken for which, then all."""
    judged = found.judgement
    rows = [
        [one.label, f"{one.precision:.4f}", f"{one.recall:.4f}", f"{one.f1:.4f}",
         f"{one.gold:,}", f"{one.predicted:,}"]
        for one in judged.labels
    ]  # fmt: skip
    header = ("label", "precision", "recall", "F1", "texts", "found")
    show_table(header, rows, right=(1, 2, 3, 4, 5), spare=(5, 1, 2))
    out()
    if len(judged.labels) <= _MOST_CONFUSED:
        names = [one.label for one in judged.labels]
        counts = [
            [name, *(f"{number:,}" for number in row)]
            for name, row in zip(names, judged.confusion.tolist(), strict=True)
        ]
        out("texts of each label (rows) by the label found (columns)")
        show_table(("", *names), counts, right=range(1, len(names) + 1))
        out()
    show_facts(
        [
            ("model", found.model),
            ("file", found.file),
            ("accuracy", f"{judged.accuracy:.2%} of {plural(judged.texts, 'text')}"),
            ("macro F1", f"{judged.macro_f1:.4f}"),
            (
                "nats per text",
                "-" if math.isnan(judged.nats_per_text) else f"{judged.nats_per_text:.4f}",
            ),
        ]
    )
