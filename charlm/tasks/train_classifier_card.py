"""The model card of a classifier."""

from __future__ import annotations

from typing import Any

from charlm.classifying.config import ClassifierConfig, describe
from charlm.tasks.train_card import safe_text

_MOST_LABELS = 20


def classifier_card(name: str, form: ClassifierConfig, training: dict[str, Any]) -> str:
    """Return Markdown: what a classifier is, what it was trained on, how good it is."""
    shown = ", ".join(safe_text(label[:40]) for label in form.labels[:_MOST_LABELS])
    others = len(form.labels) - _MOST_LABELS
    more = f" and {others} more" if others > 0 else ""
    lines = [
        f"# {name}",
        "",
        f"A text classifier ({describe(form)}), trained with charlm.",
        "",
        f"- labels: {shown}{more}",
        f"- texts: {safe_text(training['description'])}, {training['texts']:,} to learn from",
    ]
    lines += [
        f"- {part}: {held['accuracy']:.2%} right, macro F1 {held['macro_f1']:.4f} over "
        f"{held['texts']:,} texts"
        for part in ("valid", "test")
        if (held := training[part])
    ]
    lines += ["", "```console", f'$ charlm classify -m {name} "…"', "```", ""]
    return "\n".join(lines)
