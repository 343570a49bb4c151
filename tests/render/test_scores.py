"""Scores as rows, on terminals of any width."""

import math

import pytest

from charlm.render import scores
from charlm.tasks.score import Alternative, ScoreResult, TokenScore

LIKELIEST = (Alternative(token="e", log_prob=math.log(0.5)),)


def scored(token):
    row = TokenScore(token=token, log_prob=math.log(0.25), rank=2, alternatives=LIKELIEST)
    return ScoreResult(
        text=token,
        log_prob=row.log_prob,
        tokens=1,
        perplexity=4.0,
        bits_per_char=2.0,
        unknown=0,
        per_token=(row,),
    )


@pytest.mark.parametrize(
    ("columns", "head", "row"),
    [
        (None, "  log_prob    p  rank  token  likeliest", "    -1.386  25%     2  a      e 50%"),
        (38, "  log_prob    p  rank  token  likelie…", "    -1.386  25%     2  a      e 50%"),
        (37, "  log_prob    p  token  likeliest", "    -1.386  25%  a      e 50%"),
        (27, "  log_prob  token  likelie…", "    -1.386  a      e 50%"),
        (22, "  log_prob    p  token", "    -1.386  25%  a"),
        (20, "  log_prob  token", "    -1.386  a"),
        (16, "    p  token", "  25%  a"),
        (8, "  token", "  a"),
        (4, "  t…", "  a"),
    ],
)
def test_a_narrow_terminal_loses_figures_before_it_loses_tokens(
    capsys, monkeypatch, columns, head, row
):
    monkeypatch.setattr(scores, "width", lambda stream: columns)
    scores.show_tokens(scored("a"))
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == [head, row]


def test_a_long_token_is_cut_where_nothing_else_is_left(capsys, monkeypatch):
    monkeypatch.setattr(scores, "width", lambda stream: 20)
    scores.show_tokens(scored("incomprehensibilities"))
    assert capsys.readouterr().out.splitlines()[1] == "    -1.386  incompr…"
