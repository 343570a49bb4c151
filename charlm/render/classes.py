"""Labels of texts, and a classifier's figures, on a terminal and as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from charlm.render.console import one_line, out
from charlm.render.tables import plural, show_facts, show_table

if TYPE_CHECKING:
    from charlm.tasks.classify import Classified
    from charlm.tasks.evaluate_classifier import ClassifierEvaluation, Judgement

_MOST_CONFUSED = 20  # labels of a confusion matrix that is shown


def label_line(found: Classified) -> str:
    r"""Return a text's labels as a line: each with its probability, parted by tabs.

    Line ends and tabs within a label are written `\n` and `\t`, so that a line stays one.
    """
    return "\t".join(f"{one_line(label)}\t{probability:.4f}" for label, probability in found.labels)


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
            ("nats per text", f"{judged.nats_per_text:.4f}"),
        ]
    )
