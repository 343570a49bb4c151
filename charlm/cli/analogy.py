"""`charlm analogy`: A is to B as C is to what?"""

from __future__ import annotations

import click

from charlm.cli.command import Command
from charlm.cli.neighbors import open_told, top_option, vectors_option
from charlm.cli.options import Word, json_option
from charlm.render.answers import show_answers


@click.command(
    cls=Command,
    examples=[
        ("charlm analogy man king woman", "man is to king as woman is to ?"),
        ("charlm analogy paris france rome --method 3cosmul -n 3", "by products of cosines"),
    ],
)
@click.argument("a", help="a word, as man")
@click.argument("b", help="what it is to, as king")
@click.argument("c", help="the word asked about, as woman")
@vectors_option
@click.option(
    "--method",
    type=Word(("3cosadd", "3cosmul")),
    default="3cosadd",
    show_default=True,
    help="how similarities are combined",
)
@top_option
@json_option
def analogy(
    a: str, b: str, c: str, model: str | None, method: str, top_n: int, as_json: bool
) -> None:
    """Find what C is to, as A is to B.

    The three words are left out of the answer.
    """
    from charlm.tasks.analogy import find_analogy

    opened = open_told(model)
    show_answers([find_analogy(opened, a, b, c, method=method, top_n=top_n)], as_json=as_json)
