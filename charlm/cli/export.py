"""`charlm export`: models as files of other programs."""

from __future__ import annotations

import dataclasses

import click

from charlm.cli.choice import say_note
from charlm.cli.command import Command
from charlm.cli.completion import complete_file, complete_model
from charlm.cli.options import Word, json_option
from charlm.render.console import out


@click.command(
    cls=Command,
    examples=[
        ("charlm export novel", "a language model for PyTorch, as novel.safetensors"),
        ("charlm export counts counts.arpa", "an n-gram model for KenLM and SRILM"),
        ("charlm vectors convert wiki wiki.bin", "word vectors have a command of their own"),
    ],
)
@click.argument(
    "name",
    required=False,
    shell_complete=complete_model,
    help="name or folder of the model (default: the newest)",
)
@click.argument(
    "target",
    required=False,
    shell_complete=complete_file,
    help="the file to write (default: after the model, in this folder)",
)
@click.option(
    "--to",
    "form",
    type=Word(("torch", "arpa")),
    help="form of the file (default: by the model's kind)",
)
@click.option("--overwrite", is_flag=True, help="replace the file")
@json_option
def export(
    name: str | None, target: str | None, form: str | None, overwrite: bool, as_json: bool
) -> None:
    """Write a model as a file of another program.

    A language model becomes safetensors with the names of torch.nn (embedding, lstm, output),
    its tokens in the header; an n-gram model of --tokenizer whitespace an ARPA file, which parts
    words by blanks.
    """
    from charlm.tasks.export import export_model

    result = export_model(name, target, form=form, overwrite=overwrite)
    say_note(result.note)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(result)
        del record["note"]
        emit(record)
        return
    from charlm.render.tables import size

    out(f"wrote {result.file}: {result.model} as {result.form}, {size(result.size)}")
