"""Labelled texts as JSON lines: an object a line, with a key for the label and one for the text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from charlm.base.errors import CorpusError
from charlm.base.registry import did_you_mean
from charlm.classifying.labelled import Labelled
from charlm.classifying.tables import LABEL_NAMES, TEXT_NAMES, Columns
from charlm.text.normalize import replace_surrogates

_SIMPLE = str | int | float | bool


def read_json(name: str, text: str, columns: Columns) -> Iterator[Labelled]:
    r"""Yield the objects of JSON lines; blank lines are skipped.

    The keys are those of `columns`, else the first of `LABEL_NAMES` and all of `TEXT_NAMES` that
    an object has, whatever their case. Labels may be numbers, `true` and `false`; `null` is none.

    Raises:
        CorpusError: for a line that is no object, or has no label or text, naming it.

    Example:
        >>> list(read_json("a.jsonl", '{"text": "I like it", "label": 1}\n', Columns()))
        [Labelled(label='1', text='I like it', line=1)]
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{name}, line {number}"
            found = _parse(line, where)
            label = _value(found, _label_key(found, columns.label, where), where)
            texts = [_value(found, key, where) for key in _text_keys(found, columns.text, where)]
            yield Labelled(label, " ".join(filter(None, texts)), number)


def _parse(line: str, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        if line.strip() in ("[", "{"):
            _refuse_array(where)
        why = f"; {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise CorpusError(
            f"{where}: {_shown(line)} is no JSON{why}; expected an object a line"
        ) from error
    if isinstance(found, list):
        _refuse_array(where)
    if not isinstance(found, dict):
        raise CorpusError(f"{where}: {_shown(line)}; expected an object with a label and a text")
    return found


def _refuse_array(where: str) -> NoReturn:
    raise CorpusError(
        f"{where}: JSON over several lines, or an array; expected an object a line "
        "(jq -c '.[]' FILE writes the objects of an array so)"
    )


def _label_key(found: Mapping[str, Any], given: str, where: str) -> str:
    if given:
        return _given(found, given, where)
    for key in found:
        if key.strip().lower() in LABEL_NAMES:
            return key
    raise _missing(found, "label", LABEL_NAMES, where)


def _text_keys(found: Mapping[str, Any], given: Sequence[str], where: str) -> list[str]:
    if given:
        return [_given(found, key, where) for key in given]
    keys = [key for key in found if key.strip().lower() in TEXT_NAMES]
    if not keys:
        raise _missing(found, "text", TEXT_NAMES, where)
    return keys


def _given(found: Mapping[str, Any], key: str, where: str) -> str:
    if key in found:
        return key
    raise CorpusError(f"{where}: no key {key!r} in {_keys(found)}{did_you_mean(key, list(found))}")


def _missing(
    found: Mapping[str, Any], what: str, expected: frozenset[str], where: str
) -> CorpusError:
    names = ", ".join(sorted(expected, key=lambda one: (one != what, one)))
    return CorpusError(
        f"{where}: no {what} among the keys {_keys(found)}; expected one of {names}, or another "
        f"with --{what}-column"
    )


def _keys(found: Mapping[str, Any]) -> str:
    return _shown(", ".join(found)) if found else "of an empty object"


def _value(found: Mapping[str, Any], key: str, where: str) -> str:
    value = found[key]
    if value is None:
        return ""
    if isinstance(value, str):
        return replace_surrogates(value).strip()
    if isinstance(value, _SIMPLE):
        return json.dumps(value)
    kind = "an array" if isinstance(value, list) else "an object"
    raise CorpusError(f"{where}: the value of {key[:40]!r} is {kind}; expected a text or a number")


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:60]}…")
