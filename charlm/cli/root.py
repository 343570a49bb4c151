"""The tree of commands: every name with its line of help. A new command takes a line here."""

from __future__ import annotations

import click

from charlm.cli.command import Group, Late
from charlm.cli.completion import install_completion, show_completion
from charlm.render.console import out


def _group(name: str, short_help: str, *commands: Late, default: str = "") -> Group:
    listed = {command.name: command for command in commands}
    return Group(name, help=short_help, short_help=short_help, commands=listed, default=default)


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from charlm import __version__

        out(f"charlm {__version__}")
        ctx.exit()


_COMMANDS = (
    _group(
        "train",
        "train a language model on text",
        Late("lm", "train:lm", "train a language model on text"),
        Late("ngram", "train_ngram:ngram", "count an n-gram model, the baseline, in seconds"),
        Late("vectors", "train_vectors:vectors", "learn a vector for each word of a text"),
        Late(
            "speller", "train_speller:speller", "make all that spelling correction needs of a text"
        ),
        Late(
            "classifier",
            "train_classifier:classifier",
            "learn to tell the labels of texts, from texts with labels",
        ),
        Late("tagger", "train_tagger:tagger", "learn to tag words, from annotated sentences"),
        default="lm",
    ),
    Late("sample", "sample:sample", "let a model write"),
    Late("score", "score:score", "tell how probable a text is"),
    Late("rank", "rank:rank", "put candidates in order of probability"),
    Late("spell", "spell:spell", "correct misspelt words, judged by the words around them"),
    Late("classify", "classify:classify", "tell the labels of texts, with probabilities"),
    Late("tag", "tag:tag", "tag each word of lines of text"),
    Late("embed", "embed:embed", "give each token of texts a vector that knows its context"),
    Late("evaluate", "evaluate:evaluate", "measure a model on held-out text"),
    Late("neighbors", "neighbors:neighbors", "find the words nearest to a word"),
    Late("analogy", "analogy:analogy", "find what C is to, as A is to B"),
    _group(
        "vectors",
        "evaluate, cluster, compare, draw and convert word vectors",
        Late("evaluate", "vectors:evaluate", "measure word vectors on analogies and similarities"),
        Late("cluster", "vectors:cluster", "group words whose vectors point the same way"),
        Late(
            "shift",
            "vectors_shift:shift",
            "find words that mean something else in another model",
        ),
        Late("bias", "vectors_bias:bias", "measure what words are associated with others"),
        Late("plot", "vectors:plot", "draw words on a plane, near ones together"),
        Late("convert", "vectors:convert", "write word vectors in another form"),
    ),
    Late("repl", "repl:repl", "write, ask and try settings in one session"),
    _group(
        "config",
        "show or edit the settings of the session",
        Late("show", "config:show", "show the settings of the session, and where they are kept"),
        Late("edit", "config:edit", "open the settings of the session in your editor"),
    ),
    Late("models", "models:models", "list the models"),
    Late("show", "show:show", "tell all about one model"),
    Late("plot", "plot:plot", "draw the loss curves of models"),
    _group(
        "corpus",
        "list, show, fetch and keep texts to train on",
        Late("list", "corpus:list_corpora", "list the corpora"),
        Late("show", "corpus:show_corpus", "tell about one corpus, with its first lines"),
        Late("fetch", "corpus:fetch_corpus", "download a well-known corpus"),
        Late("add", "corpus:add_corpus", "keep a text of your own as a corpus"),
    ),
    _group(
        "inspect",
        "look inside a model as it reads a text",
        Late(
            "gradients",
            "inspect:gradients",
            "show how far back in time the last token's loss reaches",
        ),
        Late("neurons", "inspect:neurons", "find units that follow something simple, or watch one"),
        Late("gates", "inspect:gates", "show how open the gates are, and how often saturated"),
    ),
    Late("export", "export:export", "write a model as a file of another program"),
    Late("doctor", "doctor:doctor", "tell what this machine has, or whether a model is sound"),
)

ROOT = Group(
    "charlm",
    help="Small recurrent language models: train on your own text, then sample, score and compare.",
    commands={command.name: command for command in _COMMANDS},
    params=[
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="show the version",
        ),
        show_completion(),
        install_completion(),
    ],
    examples=(
        ("charlm train", "a good model of the built-in corpus, in about a minute"),
        ("charlm train lm novel.txt --max-time 3m", "the same on a text of your own"),
        ('charlm sample "def " -n 400', "let the newest model write"),
        ('charlm score "I like apples" "like I apples"', "which is likelier?"),
    ),
    epilog="charlm COMMAND --help tells more. Exit status: 0 done, 1 failed, 2 usage.",
)
