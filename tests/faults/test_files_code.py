"""Nothing in the package can run what a file says."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "charlm"
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
}
CALLS = {"eval", "exec", "compile", "__import__", "extractall", "unpack_archive"}
ATTRIBUTES = {
    ("torch", "load"),
    ("np", "load"),
    ("numpy", "load"),
    ("os", "system"),
    ("os", "popen"),
}


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def faults(tree):
    """Yield line and reason of whatever could run foreign code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names]
            if found := MODULES & {name.split(".")[0] for name in names}:
                yield node.lineno, f"imports {found}"
        elif isinstance(node, ast.Call):
            yield from faults_of_call(node)


def faults_of_call(node):
    called = node.func
    # `re.compile` and `model.eval()` are other things: only a bare name is Python's own
    if isinstance(called, ast.Name) and called.id in CALLS:
        yield node.lineno, f"calls {called.id}"
    if isinstance(called, ast.Attribute):
        owner = called.value.id if isinstance(called.value, ast.Name) else ""
        if (owner, called.attr) in ATTRIBUTES or called.attr in ("extractall", "unpack_archive"):
            yield node.lineno, f"calls {owner}.{called.attr}"
    for keyword in node.keywords:
        value = keyword.value
        if keyword.arg in ("shell", "allow_pickle") and not (
            isinstance(value, ast.Constant) and value.value is False
        ):
            yield node.lineno, f"{keyword.arg}="


def test_fault_61_nothing_unpickles_evaluates_or_unpacks_everything():
    found = {
        f"{path.relative_to(PACKAGE)}:{line}: {why}"
        for path in sources()
        for line, why in faults(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()
    assert len(sources()) > 50


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import torch; torch.load('x')",
        "np.load('x')",
        "eval('1')",
        "exec('x')",
        "archive.extractall()",
        "run('ls', shell=True)",
        "run('ls', shell=flag)",
        "yaml = 1; import yaml",
        "__import__('os')",
        "f(allow_pickle=True)",
        "os.system('x')",
    ],
)
def test_the_search_finds_what_it_looks_for(line):
    assert list(faults(ast.parse(line)))


@pytest.mark.parametrize("line", ["re.compile('x')", "model.eval()", "run(x, shell=False)"])
def test_the_search_lets_the_harmless_be(line):
    assert not list(faults(ast.parse(line)))
