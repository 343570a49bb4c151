"""The program as a shell runs it: pipes, signals, closed streams, locales, imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def environment(home, **more):
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "CHARLM_HOME": str(home), **more}


def charlm(home, *argv, **options):
    variables = environment(home, **options.pop("variables", {}))
    return subprocess.run(
        [sys.executable, "-m", "charlm", *argv],
        cwd=home,
        env=variables,
        capture_output="stdout" not in options,
        timeout=30,
        check=False,
        **options,
    )


def start(home, *argv):
    return subprocess.Popen(
        [sys.executable, "-m", "charlm", *argv],
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_reader_who_leaves_ends_it_silently_at_once(tiny):
    running = start(tiny, "sample", "-m", "tiny", "-n", "100000000", "--seed", "1")
    assert running.stdout.read(200)
    began = time.monotonic()
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()
    assert (running.wait(10), error) == (141, b"")
    assert time.monotonic() - began < 2.0


def test_ctrl_c_is_130_without_a_word(tiny):
    running = start(tiny, "sample", "-m", "tiny", "-n", "100000000", "--seed", "1")
    running.stdout.read(200)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=10)
    assert (running.returncode, error) == (130, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("argv", [("--help",), ("sample", "-m", "tiny", "-n", "5"), ("models",)])
def test_a_full_disk_is_one_line_and_1(tiny, argv):
    with Path("/dev/full").open("w") as full:
        done = charlm(tiny, *argv, stdout=full, stderr=subprocess.PIPE)
    message = b"charlm: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


@pytest.mark.parametrize(
    ("closing", "status"),
    [
        (">&-", 0),
        ("<&-", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
    ],
)
def test_closed_streams_give_no_traceback(tiny, closing, status):
    line = f"{sys.executable} -m charlm sample - -m tiny -n 5 --seed 1 {closing}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=tiny,
        env=environment(tiny),
        input=b"the",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"LC_ALL": "C"}, "é".encode()),
        ({"PYTHONIOENCODING": "ascii"}, b"\\xe9"),
        ({"LC_ALL": "C.UTF-8", "TERM": "dumb"}, "é".encode()),
    ],
)
def test_any_locale_will_do(tiny, variables, shown):
    done = charlm(tiny, "sample", "-m", "tiny", "-n", "0", "é", variables=variables)
    assert (done.returncode, done.stdout) == (0, shown + b"\n")


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("train", "--help"),
        ("--version",),
        ("--show-completion", "bash"),
        ("sample", "-m", "tiny", "-n", "5", "the"),
        ("score", "-m", "tiny", "the"),
        ("evaluate", "-m", "tiny", "a.txt"),
        ("inspect", "gradients", "-m", "tiny", "the"),
        ("inspect", "neurons", "-m", "tiny", "--json", "the"),
        ("inspect", "gates", "-m", "tiny", "the"),
        ("models",),
        ("show", "tiny"),
        ("plot", "tiny"),
        ("corpus", "list"),
        ("corpus", "show", "a.txt"),
    ],
)
def test_no_query_imports_torch_and_none_piped_imports_rich(tiny, argv):
    (tiny / "a.txt").write_text("the fox\n")
    code = (
        "import sys\n"
        "from charlm.cli.app import run\n"
        f"status = run({list(argv)!r})\n"
        "heavy = {'torch', 'rich', 'numba', 'matplotlib', 'jieba', 'sentencepiece'}\n"
        "sys.stderr.write(f'{status} {sorted(heavy & set(sys.modules))}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tiny,
        env=environment(tiny),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == b"0 []"


@pytest.mark.parametrize("line", ["charlm sample -m t", "charlm train ", "charlm --", "charlm s"])
def test_no_answer_to_a_shell_imports_torch_or_numpy(tiny, line):
    code = (
        "import atexit, sys\n"
        "heavy = {'torch', 'numpy', 'rich'}\n"
        "atexit.register(lambda: sys.stderr.write(f'{sorted(heavy & set(sys.modules))}'))\n"
        "from charlm.cli.app import run\n"
        "sys.exit(run([]))\n"
    )
    words = {"_CHARLM_COMPLETE": "bash_complete", "COMP_WORDS": line}
    words["COMP_CWORD"] = str(line.count(" "))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tiny,
        env=environment(tiny, **words),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"[]")
    assert done.stdout


def test_help_imports_no_numpy(home):
    code = "import sys, charlm.cli.app as a; a.run(['--help']); sys.exit('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(home),
        stdout=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
