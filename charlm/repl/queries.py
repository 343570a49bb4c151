"""Commands that ask: about texts, words and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.render.console import warn
from charlm.repl.commands import Options, command
from charlm.repl.parsing import split_texts, split_words, whole_number
from charlm.repl.session import Session

if TYPE_CHECKING:
    from charlm.tasks.vectors_open import OpenSpace


@command(
    "score",
    "[--tokens] TEXT [| TEXT]…",
    "tell how probable texts are",
    options={"tokens": False},
)
def _score(session: Session, rest: str, options: Options) -> None:
    from charlm.render.scores import show_head, show_row, show_tokens
    from charlm.tasks.score import score_texts

    texts = split_texts(rest) or [_last_text(session)]
    opened, tokens = session.opened(), "tokens" in options
    with session.working():
        results = score_texts(opened, texts, per_token=tokens, alternatives=tokens)
    best = max(result.log_prob for result in results)
    for number, result in enumerate(results):
        if tokens or not number:
            show_head()
        mark = ("★ " if result.log_prob == best else "  ") if len(results) > 1 else ""
        show_row(result, mark)
        if tokens:
            show_tokens(result)
    _tell_unknown(session, sum(result.unknown for result in results))


@command("heatmap", "[TEXT]", "colour a text, or the last one, by surprisal")
def _heatmap(session: Session, rest: str, _: Options) -> None:
    from charlm.render.surprisal import show_heatmap
    from charlm.tasks.score import score_text

    text, opened = rest or _last_text(session), session.opened()
    with session.working():
        result = score_text(opened, text)
    show_heatmap([(item.text, item.log_prob) for item in result.per_token])
    _tell_unknown(session, result.unknown)


@command("rank", "TEXT | TEXT…", "put texts in order of probability")
def _rank(session: Session, rest: str, _: Options) -> None:
    from charlm.render.scores import show_ranked
    from charlm.tasks.rank import Candidate, rank_blocks

    texts = split_texts(rest)
    if not texts:
        raise ConfigError("/rank needs texts in quotes, or with ' | ' between them")
    opened = session.opened()
    with session.working():
        for row in rank_blocks(opened, [[Candidate(text) for text in texts]]):
            show_ranked(row)


@command(
    "spell",
    "[--model NAME] [--explain] [TEXT]",
    "correct a text, or the last one",
    options={"model": True, "explain": False},
)
def _spell(session: Session, rest: str, options: Options) -> None:
    from charlm.render.spelling import explain, show_marked
    from charlm.tasks.spell import Spelling
    from charlm.tasks.spell_config import SpellConfig

    text, config = rest or _last_text(session), SpellConfig()
    opened = session.others.spellers.told(options.get("model"))
    for line in Spelling(opened, config).correct(text.split("\n")):
        if "explain" in options:
            explain(line, most=config.candidates, weight=opened.speller.weights.model)
        else:
            show_marked(line)


@command(
    "neighbors",
    "[--model NAME] [--top-n N] WORD…",
    "find the words nearest to each word",
    options={"model": True, "top-n": True},
    completes="word",
)
def _neighbors(session: Session, rest: str, options: Options) -> None:
    from charlm.render.answers import show_answers
    from charlm.tasks.neighbors import find_neighbors

    words, top_n = split_words(rest), _top_n(options)
    if not words:
        raise ConfigError("/neighbors needs a WORD")
    opened = _open_space(session, options.get("model"))
    show_answers((find_neighbors(opened, [word], top_n=top_n) for word in words), as_json=False)


@command(
    "analogy",
    "[--model NAME] [--top-n N] A B C",
    "find what C is to, as A is to B",
    options={"model": True, "top-n": True},
    completes="word",
)
def _analogy(session: Session, rest: str, options: Options) -> None:
    from charlm.render.answers import show_answers
    from charlm.tasks.analogy import find_analogy

    words, top_n = split_words(rest), _top_n(options)
    if len(words) != 3:
        raise ConfigError(f"/analogy needs three words, got {len(words)}")
    opened = _open_space(session, options.get("model"))
    show_answers([find_analogy(opened, *words, top_n=top_n)], as_json=False)


@command("plot", "[NAME]…", "draw loss curves of this model or of others", completes="model")
def _plot(session: Session, rest: str, _: Options) -> None:
    from charlm.render.plots import draw
    from charlm.tasks.plot import read_curves

    plot = read_curves(split_words(rest) or [str(session.opened().folder)])
    draw(plot.curves, plot.title)


def _open_space(session: Session, name: str | None) -> OpenSpace:
    try:
        opened = session.others.spaces.told(name)
    except (CheckpointError, TaskError) as error:
        if name is not None:
            raise
        raise TaskError(
            "no word vectors yet; /train vectors TEXT makes some, --model NAME takes a model's"
        ) from error
    for text in opened.warnings:
        warn(text)
    return opened


def _top_n(options: Options) -> int:
    return whole_number(options.get("top-n", "10"), "--top-n")


def _last_text(session: Session) -> str:
    if session.last is None:
        raise ConfigError("no text yet; write one behind the command")
    return session.last.whole


def _tell_unknown(session: Session, unknown: int) -> None:
    if unknown:
        from charlm.render.tables import plural

        warn(f"{plural(unknown, 'token')} unknown to {session.opened().name!r}")
