from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import stat

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import load_model, read_summary
from charlm.store.folder import check_folder
from charlm.store.lock import FolderLock
from charlm.store.manifest import REMEDY

SHAPES = {"embedding.weight": (5, 4), "output.bias": (5,)}

FILES = ("config.json", "model.safetensors", "training.json", "vocab.json", "manifest.json")


def refusal(folder, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_model(folder, **options)
    return str(caught.value)


def rewrite_manifest(folder, change):
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def forge(folder, name, data: bytes):
    """Put other contents in a file and make the manifest agree, as a stranger can."""
    (folder / name).write_bytes(data)
    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite_manifest(folder, lambda values: values["files"].update({name: entry}))


@pytest.mark.parametrize("verify", [True, False, "lazy"])
def test_what_is_saved_is_loaded(model, verify):
    stored = load_model(model, verify=verify, kinds=("lm", "tagger"))
    assert (stored.folder, stored.kind) == (model, "lm")
    assert stored.model_config == {"num_layers": 1, "hidden_size": 4, "cell": "lstm"}
    assert stored.tokenizer_config == {"name": "char"}
    assert stored.tokenizer_files == {"vocab.json": b'["a"]\n'}
    assert stored.training == {"steps": 7, "valid": {"perplexity": 2.5}}
    tensors = stored.tensors(SHAPES)
    for name, shape in SHAPES.items():
        np.testing.assert_array_equal(tensors[name], np.full(shape, 7, np.float32), strict=True)
    assert check_folder(model) == []


def test_large_weights_are_mapped_and_hashed_only_on_demand(model, monkeypatch):
    monkeypatch.setattr("charlm.store.checkpoint.IN_MEMORY", 10)
    data = bytearray((model / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (model / "model.safetensors").write_bytes(data)
    assert load_model(model).tensors().keys() == SHAPES.keys()
    assert "was altered" in refusal(model, verify=True)


def test_a_loaded_model_outlives_the_next_save(model, save):
    old = load_model(model)
    save(model, 8)
    assert old.tensors()["output.bias"][0] == 7
    assert load_model(model).tensors()["output.bias"][0] == 8


def test_a_new_tokenizer_takes_the_files_of_the_old_one_away(model, save):
    save(model, 8, tokenizer_files={"spm.model": b"x"})
    assert load_model(model).tokenizer_files == {"spm.model": b"x"}
    assert not (model / "vocab.json").exists()


def test_the_folder_holds_what_the_contract_names_and_nothing_else(model):
    assert sorted(path.name for path in model.iterdir()) == sorted((*FILES, "README.md"))
    assert json.loads((model / "config.json").read_text()) == {
        "format": 1,
        "kind": "lm",
        "model": {"num_layers": 1, "hidden_size": 4, "cell": "lstm"},
        "tokenizer": {"name": "char"},
    }


def test_files_follow_the_umask(tmp_path, save):
    before = os.umask(0o027)
    try:
        save(tmp_path / "m", 1)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "m").iterdir()}
    assert modes == {0o640}


def test_a_linked_model_folder_is_followed_and_the_link_kept(tmp_path, save):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    save(tmp_path / "link", 3)
    assert (tmp_path / "link").is_symlink()
    assert load_model(tmp_path / "real").training["steps"] == 3
    assert load_model(tmp_path / "link").training["steps"] == 3


def test_a_figure_that_is_no_number_does_not_stop_a_save(tmp_path, save):
    training = {"steps": np.int64(3), "loss": math.nan, "best": [math.inf, 1.5], "file": "\udcff"}
    save(tmp_path / "m", 3, training=training)
    assert load_model(tmp_path / "m").training == {
        "steps": 3,
        "loss": None,
        "best": [None, 1.5],
        "file": "\\udcff",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "../x"}, "kind must be a lower-case word, got '../x'"),
        ({"tokenizer_files": {"../x": b""}}, "'../x' is no name for a tokenizer's own file"),
        (
            {"tokenizer_files": {"config.json": b""}},
            "'config.json' is no name for a tokenizer's own file",
        ),
        ({"model_config": {"a": math.nan}}, "Out of range float values are not JSON compliant"),
    ],
)
def test_what_cannot_be_stored_is_a_callers_mistake(tmp_path, save, changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        save(tmp_path / "m", 1, **changes)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    assert refusal(model) == f"{model / name} is missing; {REMEDY}"
    assert check_folder(model) == [f"{model / name} is missing"]
    assert read_summary(model).problem == f"{model / name} is missing; {REMEDY}"


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_cut_file_is_named(model, name):
    data = (model / name).read_bytes()
    (model / name).write_bytes(data[:-1])
    message = (
        f"{model / name} is cut: it has {len(data) - 1} bytes, manifest.json says {len(data)}; "
        f"{REMEDY}"
    )
    assert refusal(model) == message
    assert check_folder(model) == [message]
    assert read_summary(model).problem == message


@pytest.mark.parametrize("name", FILES[:-1])
def test_one_flipped_bit_is_found_and_the_file_named(model, name):
    data = bytearray((model / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model / name).write_bytes(data)
    message = f"{model / name} was altered: its sha256 differs from manifest.json; {REMEDY}"
    assert refusal(model) == message
    assert check_folder(model) == [message]


def test_a_model_card_may_be_changed(model):
    (model / "README.md").write_text("mine")
    assert load_model(model).kind == "lm"
    (model / "README.md").unlink()
    assert load_model(model).kind == "lm"
    assert check_folder(model) == [f"{model / 'README.md'} is missing"]


def test_what_is_no_model_folder_is_said(tmp_path, monkeypatch):
    assert refusal(tmp_path / "x") == f"no model folder '{tmp_path / 'x'}'"
    assert refusal(tmp_path) == (
        f"{tmp_path} holds no model: it has no manifest.json; charlm train makes one"
    )
    with FolderLock(tmp_path):  # as a training does before its first save
        assert "it has no manifest.json" in refusal(tmp_path)  # whoever asks is no news to itself
        pid = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        found = refusal(tmp_path)
        assert found.startswith(f"{tmp_path} holds no model yet; process {pid}")
        assert found.endswith(" is working on it")
        monkeypatch.undo()
    (tmp_path / "resume").mkdir()  # word vectors are saved when they are whole
    assert refusal(tmp_path) == (
        f"{tmp_path} holds no model, only a training state; go on with --resume, or train it "
        "again with --overwrite"
    )
    (tmp_path / "vocab.json").touch()
    assert refusal(tmp_path) == (
        f"{tmp_path} holds no whole model: it has no manifest.json; "
        "copy the model folder again, or train it again"
    )


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\x80\x04x", "a pickle or zip file, refused: charlm never unpickles; expected"),
        (b"PK\x03\x04", "a pickle or zip file, refused: charlm never unpickles; expected"),
        (b"text", "a file; expected"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, head, found):
    (tmp_path / "m.pt").write_bytes(head)
    assert refusal(tmp_path / "m.pt") == f"{tmp_path / 'm.pt'} is {found} a model folder"


def test_a_pickle_in_the_place_of_the_weights_is_refused_and_never_run(model, tmp_path):
    forge(model, "model.safetensors", b"\x80\x04cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(CheckpointError) as caught:
        load_model(model).tensors()
    assert str(caught.value) == (
        f"{model / 'model.safetensors'} is a pickle file, refused: charlm never unpickles"
    )


def test_a_newer_format_is_refused_by_name(model):
    newer = "was made by a newer charlm (format 3; this one reads up to 1): upgrade charlm"
    config = json.loads((model / "config.json").read_text()) | {"format": 3, "extra": 1}
    forge(model, "config.json", json.dumps(config).encode())
    assert refusal(model) == f"{model / 'config.json'} {newer}"
    rewrite_manifest(model, lambda values: values.update(format=3, files=[]))
    assert refusal(model) == f"{model / 'manifest.json'} {newer}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "1"}, f"has no format number; expected 1 to 1; {REMEDY}"),
        ({"more": 1}, ": unknown keys 'more'; known: format, kind, model, tokenizer"),
        ({"kind": "../x"}, f": kind must be a lower-case word; {REMEDY}"),
        ({"model": []}, f": model and tokenizer must be objects; {REMEDY}"),
    ],
)
def test_a_malformed_config_is_refused(model, change, message):
    config = json.loads((model / "config.json").read_text()) | change
    forge(model, "config.json", json.dumps(config).encode())
    gap = "" if message[0] == ":" else " "
    assert refusal(model) == f"{model / 'config.json'}{gap}{message}"


def test_another_kind_is_refused(model):
    assert refusal(model, kinds=("tagger", "classifier")) == (
        f"{model} holds a model of kind 'lm'; expected classifier or tagger"
    )


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "a/b.txt", "..", "x\x00.txt", "", "CON.txt", "resume"]
)
def test_only_plain_names_are_opened(model, name):
    entry = {"size": 1, "sha256": "0" * 64}
    rewrite_manifest(model, lambda values: values["files"].update({name: entry}))
    assert refusal(model) == (
        f"{model / 'manifest.json'} lists {name!r}, which is no name of a model's file"
    )


def test_a_linked_file_and_a_folder_in_a_files_place_are_refused(model, tmp_path):
    (model / "vocab.json").rename(tmp_path / "outside.json")
    (model / "vocab.json").symlink_to(tmp_path / "outside.json")
    assert refusal(model) == (
        f"{model / 'vocab.json'} is a symbolic link; expected a plain file; {REMEDY}"
    )
    (model / "vocab.json").unlink()
    (model / "vocab.json").mkdir()
    assert refusal(model) == (
        f"{model / 'vocab.json'} is a folder; expected a plain file; {REMEDY}"
    )
    (model / "vocab.json").rmdir()
    os.mkfifo(model / "vocab.json")
    assert refusal(model) == (
        f"{model / 'vocab.json'} is a pipe or device; expected a plain file; {REMEDY}"
    )


def test_a_linked_staging_folder_is_not_written_through(model, save, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in (".saving", ".next"):
        (model / name).symlink_to(tmp_path / "elsewhere")
    save(model, 9)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert load_model(model).training["steps"] == 9


def test_weights_that_are_no_numbers_or_of_another_shape_are_refused(tmp_path, save):
    save(tmp_path / "m", 1, tensors={"w": np.array([1, math.nan], np.float32)})
    path = tmp_path / "m" / "model.safetensors"
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path / "m").tensors({"w": (2,)})
    assert str(caught.value) == f"{path}: tensor 'w' holds NaN or infinity"
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path / "m").tensors({"w": (3,)})
    assert str(caught.value) == (
        f"{path} does not fit its config: tensor 'w' has shape (2,), expected (3,)"
    )
    save(tmp_path / "m", 1, tensors={"w": np.array([1], np.int8)})
    with pytest.raises(CheckpointError, match=r"tensor 'w' is I8; expected BF16, F16, F32, F64$"):
        load_model(tmp_path / "m").tensors()


def test_a_summary_tells_what_is_known(model):
    found = read_summary(model)
    assert (found.name, found.kind, found.model, found.tokenizer) == (
        "model",
        "lm",
        "1 x 4 LSTM",
        "char",
    )
    assert (found.parameters, found.steps, found.valid) == (25, 7, {"perplexity": 2.5})
    assert found.size_bytes == sum((model / name).stat().st_size for name in FILES[:-1]) + 9
    assert abs(found.created - (model / "manifest.json").stat().st_mtime) < 5
    assert found.problem is None


def test_a_summary_of_odd_figures_leaves_them_out(tmp_path, save):
    save(tmp_path / "m", 1, training={"steps": "many", "valid": {"perplexity": "x", "chars": 3}})
    found = read_summary(tmp_path / "m")
    assert (found.steps, found.valid, found.problem) == (None, {"chars": 3}, None)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_folder_loads_or_is_refused_and_nothing_else(model, data):
    """Whatever bytes change in whatever file, with the manifest made to agree or not."""
    name = data.draw(st.sampled_from(FILES))
    path, original = model / name, (model / name).read_bytes()
    manifest = (model / "manifest.json").read_bytes()
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed)))
        stop = data.draw(st.integers(start, min(len(changed), start + 8)))
        changed[start:stop] = data.draw(st.binary(max_size=8))
    try:
        if name != "manifest.json" and data.draw(st.booleans()):
            forge(model, name, bytes(changed))
        else:
            path.write_bytes(changed)
        check_folder(model)
        assert read_summary(model).name == "model"
        with contextlib.suppress(CheckpointError):
            load_model(model).tensors(SHAPES)
    finally:
        path.write_bytes(original)
        (model / "manifest.json").write_bytes(manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": {}}, f" must list config.json, model.safetensors, training.json; {REMEDY}"),
        ({"files": 3}, f" must list config.json, model.safetensors, training.json; {REMEDY}"),
    ],
)
def test_a_manifest_that_lists_no_model_is_refused(model, change, message):
    rewrite_manifest(model, lambda values: values.update(change))
    assert refusal(model) == f"{model / 'manifest.json'}{message}"


def test_a_manifest_of_many_files_or_odd_entries_is_refused(model):
    rewrite_manifest(model, lambda values: values["files"].update({"vocab.json": {"size": -1}}))
    assert refusal(model) == (
        f"{model / 'manifest.json'}: vocab.json must have a size and a sha256; {REMEDY}"
    )
    rewrite_manifest(
        model, lambda values: values["files"].update({f"{i}.txt": {} for i in range(40)})
    )
    assert refusal(model) == f"{model / 'manifest.json'} lists 45 files; at most 32"


def test_a_disk_that_cannot_be_read_is_said(model, monkeypatch):
    def fail(fd, size):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fail)
        assert refusal(model) == f"cannot read {model / 'manifest.json'}: Input/output error"
    assert load_model(model).kind == "lm"


def test_a_summary_of_a_manifest_without_a_date_has_none(model):
    rewrite_manifest(model, lambda values: values.update(created="yesterday"))
    found = read_summary(model)
    assert (found.created, found.problem) == (None, None)


def test_a_summary_of_another_form_leaves_the_form_open(tmp_path, save):
    save(tmp_path / "m", 1, model_config={}, tokenizer_config={}, training={"valid": 3})
    found = read_summary(tmp_path / "m")
    assert (found.model, found.tokenizer, found.valid) == ("", None, {})
