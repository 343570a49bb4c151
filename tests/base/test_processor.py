"""Which processors OpenBLAS is told of, and that it is told in time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from charlm.base import processor

FLAGS = "fpu fma avx2 avx512f avx512dq avx512cd avx512bw avx512vl"
ZEN_5 = {"vendor_id": "AuthenticAMD", "cpu family": "26", "flags": FLAGS}


def test_a_processor_that_openblas_does_not_know_is_underrated() -> None:
    assert processor.is_underrated(ZEN_5)


@pytest.mark.parametrize(
    "change",
    [
        {"vendor_id": "GenuineIntel"},
        {"cpu family": "25"},
        {"cpu family": "what"},
        {"flags": FLAGS.replace("avx512vl", "")},
        {"flags": ""},
    ],
)
def test_others_are_left_to_openblas(change: dict[str, str]) -> None:
    assert not processor.is_underrated(ZEN_5 | change)
    assert not processor.is_underrated({})


def _described(tmp_path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, str]) -> None:
    path = tmp_path / "cpuinfo"
    text = "\n".join(f"{key}\t: {value}" for key, value in entry.items())
    path.write_text(f"{text}\n\n{text}\n")
    monkeypatch.setattr(processor, "_CPUINFO", path)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize(
    ("entry", "environ", "expected"),
    [
        (ZEN_5, {}, {"OPENBLAS_CORETYPE": "SKYLAKEX"}),
        (ZEN_5, {"OPENBLAS_CORETYPE": "ZEN"}, {"OPENBLAS_CORETYPE": "ZEN"}),
        (ZEN_5 | {"cpu family": "25"}, {}, {}),
        ({}, {}, {}),
    ],
)
def test_the_kernels_are_named_where_nobody_else_has(
    tmp_path, monkeypatch, entry, environ, expected
) -> None:
    _described(tmp_path, monkeypatch, entry)
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    processor.prefer_wide_products(environ)
    assert environ == expected


def test_nothing_happens_once_numpy_has_chosen(tmp_path, monkeypatch) -> None:
    _described(tmp_path, monkeypatch, ZEN_5)
    monkeypatch.setitem(sys.modules, "numpy", sys)
    environ: dict[str, str] = {}
    processor.prefer_wide_products(environ)
    assert environ == {}


def test_a_machine_that_describes_no_processor_is_left_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "missing")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    environ: dict[str, str] = {}
    processor.prefer_wide_products(environ)
    assert environ == {}


@pytest.mark.parametrize("command", ["score", "rank", "evaluate"])
def test_a_command_that_scores_speaks_before_numpy_is_there(command: str) -> None:
    """Stopped where it would open a model: by then numpy may be there, and it has been said."""
    code = (
        "import sys\n"
        "from charlm.base import processor\n"
        "def say(environ=None): print('numpy' in sys.modules)\n"
        "processor.prefer_wide_products = say\n"
        "from charlm.cli.app import run\n"
        f"run(['{command}', 'x', '-m', 'no-such-model'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"CHARLM_HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.stdout == "False\n"
