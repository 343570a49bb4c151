"""The GPU's benchmark goes its ways with toys on the CPU, without the command line's libraries."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Run where these are not there, as on many a machine that is lent for an hour.
WITHOUT = """
import runpy, sys
for name in ("click", "rich", "prompt_toolkit", "plotext", "wcwidth", "matplotlib"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
sys.argv = ["gpu.py", *sys.argv[2:]]
runpy.run_path(sys.path[0] + "/gpu.py", run_name="__main__")
"""


def gpu(*argv):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ROOT / "benchmarks"), *argv],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_tells_each_figure_in_a_line_of_json(tmp_path):
    parts = ["memory", "decoding", "vectors", "shakespeare"]
    done = gpu("--dry-run", "--json", "--home", str(tmp_path), "--part", *parts)
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(one["part"] for one in told)) == parts
    assert all(one["holds"] for one in told if "check" in one)
    figures = {one["figure"] for one in told if one["part"] == "shakespeare"}
    assert figures == {"static", "static, windows of 256 read from nothing", "dynamic"}
    assert all(one["value"] > 0 for one in told if "figure" in one)


def test_what_it_cannot_do_is_told(tmp_path):
    assert gpu().stderr.endswith("gpu.py: error: name the folder of data sets, or --dry-run\n")
    wrong = gpu("--dry-run", "--set", "nothing.x=1").stderr
    assert wrong.startswith("--set nothing.x=1: write PART.NAME=VALUE, PART of agreement, ")
