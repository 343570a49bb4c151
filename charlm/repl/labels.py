"""Commands that put labels on texts and words."""

from __future__ import annotations

from charlm.repl.commands import Options, command
from charlm.repl.continuing import last_text
from charlm.repl.parsing import split_texts, whole_number
from charlm.repl.session import Session


@command(
    "tag",
    "[--model NAME] [TEXT]",
    "tag each word of a text, or of the last one",
    options={"model": True},
)
def _tag(session: Session, rest: str, options: Options) -> None:
    from charlm.render.tags import show_tagged
    from charlm.tasks.tag import tag_lines

    text = rest or last_text(session).whole
    opened = session.others.taggers.told(options.get("model"))
    for line in tag_lines(opened.tagger, text.split("\n")):
        show_tagged(line)


@command(
    "classify",
    "[--model NAME] [--top N] [TEXT [| TEXT]…]",
    "tell the label of texts, or of the last one",
    options={"model": True, "top": True},
)
def _classify(session: Session, rest: str, options: Options) -> None:
    from charlm.render.classes import label_line
    from charlm.render.console import out
    from charlm.tasks.classify import classify

    texts = split_texts(rest) or [last_text(session).whole]
    top = whole_number(options.get("top", "1"), "--top")
    opened = session.others.classifiers.told(options.get("model"))
    for found in classify(opened, texts, top=top):
        out(label_line(found), trusted=True)
