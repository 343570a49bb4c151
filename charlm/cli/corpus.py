"""`charlm corpus list|show|add`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from charlm.cli.spec import JSON, Argument, Command, Option
from charlm.render.console import out, warn


def run_list(values: Mapping[str, Any]) -> int:
    """List the corpora."""
    from charlm.tasks.corpus import corpora

    found = corpora()
    if values["json"]:
        from charlm.render.machine import emit

        for corpus in found:
            emit(dataclasses.asdict(corpus))
        return 0
    from charlm.render.tables import show_table

    show_table(("name", "description"), [(c.name, c.description) for c in found])
    return 0


def run_show(values: Mapping[str, Any]) -> int:
    """Show one corpus."""
    from charlm.tasks.corpus import corpus_facts

    facts = corpus_facts(values["corpus"])
    for warning in facts.warnings:
        warn(warning)
    if values["json"]:
        from charlm.render.machine import emit

        record = dataclasses.asdict(facts)
        del record["warnings"]
        emit(record)
        return 0
    from charlm.render.tables import show_facts

    show_facts(
        [
            ("name", facts.name),
            ("about", facts.description),
            ("chars", f"{facts.chars:,} ({facts.distinct_chars:,} different)"),
            ("lines", f"{facts.lines:,}"),
        ]
    )
    out()
    out(facts.head, end="" if facts.head.endswith("\n") else "\n")
    return 0


def run_add(values: Mapping[str, Any]) -> int:
    """Keep a text as a corpus."""
    from charlm.tasks.corpus import keep_corpus

    path = keep_corpus(values["name"], values["file"], overwrite=values["overwrite"])
    if values["json"]:
        from charlm.render.machine import emit

        emit({"name": values["name"], "path": str(path)})
        return 0
    out(f"kept {values['name']} in {path}")
    out(f"try: charlm train {values['name']}")
    return 0


LIST = Command(
    "corpus list",
    "list the corpora",
    run_list,
    options=(JSON,),
    examples=(("charlm corpus list", "the built-in corpora and your own"),),
)
SHOW = Command(
    "corpus show",
    "tell about one corpus, with its first lines",
    run_show,
    arguments=(
        Argument("corpus", "a corpus by name, or a file or folder", True, complete="corpus"),
    ),
    options=(JSON,),
    examples=(("charlm corpus show python", "its size and how it begins"),),
)
ADD = Command(
    "corpus add",
    "keep a text of your own as a corpus",
    run_add,
    arguments=(
        Argument("name", "the name to give it", required=True),
        Argument("file", "files, folders, globs or - for stdin", True, True, complete="file"),
    ),
    options=(Option("overwrite", "replace a corpus of that name", kind=bool, default=False), JSON),
    examples=(("charlm corpus add letters mail/*.txt", "then: charlm train letters"),),
)
