"""Corrections on a terminal: changes in colour, and why a word was or was not changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from charlm.render.console import one_line, out, sanitize, wants_color
from charlm.render.tables import show_table
from charlm.spelling.corrector import CorrectedLine, Judgement

_OLD, _NEW, _END = "\x1b[31;9m", "\x1b[32;1m", "\x1b[0m"


def marked(line: CorrectedLine, only: Judgement | None = None) -> str:
    """Return a line with its changes marked, in colour where stdout has any.

    Without colours a change is `[-old-]{+new+}`, as `wdiff` writes it.
    """
    color = wants_color(sys.stdout)
    parts, place = [], 0
    for change in line.changes:
        if only is not None and change is not only:
            continue
        parts.append(sanitize(line.text[place : change.start]))
        old, new = sanitize(change.old), sanitize(change.new)
        parts.append(f"{_OLD}{old}{_END} {_NEW}{new}{_END}" if color else f"[-{old}-]{{+{new}+}}")
        place = change.end
    return "".join(parts) + sanitize(line.text[place:])


def show_marked(line: CorrectedLine) -> None:
    """Write a line with its changes marked."""
    out(marked(line), trusted=True)


def explain(line: CorrectedLine, *, most: int, weight: float) -> None:
    """Write for each judged word its candidates and what speaks for them.

    Args:
        line: with its judgements.
        most: candidates to show.
        weight: of the n-gram model's log-probability in the score.
    """
    if not line.judgements:
        out(f"{one_line(line.text)}: no word has more than one reading")
        return
    for judged in line.judgements:
        verdict = f"becomes {judged.new!r}" if judged.new != judged.old else "stays"
        about = "" if judged.known else ", not in the vocabulary,"
        out(f"{one_line(judged.old)}{about} {one_line(verdict)}")
        rows = [
            [
                ("★ " if candidate.text == judged.new else "  ") + candidate.text,
                f"{candidate.context:.2f}",
                f"{weight * candidate.context:.2f}",
                f"{candidate.prior:.2f}",
                f"{candidate.score:.2f}",
                f"{candidate.probability:.1%}",
            ]
            for candidate in judged.candidates[:most]
        ]
        show_table(
            ["candidate", "log p", "weighted", "channel", "score", "share"],
            rows,
            right=(1, 2, 3, 4, 5),
            spare=(1,),
        )
        out()


def record(line: CorrectedLine, most: int) -> dict[str, object]:
    """Return the object of `charlm spell --json`."""
    changes = [
        {
            "start": change.start,
            "end": change.end,
            "from": change.old,
            "to": change.new,
            "candidates": [
                {"text": candidate.text, "score": round(candidate.probability, 6)}
                for candidate in change.candidates[:most]
            ],
        }
        for change in line.changes
    ]
    return {"text": line.text, "corrected": line.corrected, "changes": changes}


def choices(change: Judgement, most: int) -> Sequence[str]:
    """Return what may take a word's place, itself left out, the likeliest first."""
    return [one.text for one in change.candidates if one.text != change.old][:most]
