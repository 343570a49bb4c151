"""`charlm doctor`: facts of the machine, and faults of model folders."""

import json
import os
import shutil
import sys
import types

import pytest

from charlm.store.lock import FolderLock
from charlm.tasks import doctor_disk, doctor_machine
from charlm.tasks.doctor import check_model


@pytest.fixture(autouse=True)
def no_torch(monkeypatch):
    """A stand-in: the real one takes a second, and whether it is there is no matter here."""
    torch = types.ModuleType("torch")
    torch.__version__ = "9.9"
    torch.get_num_threads = lambda: 3
    torch.version = types.SimpleNamespace(cuda=None)
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


def record(charlm, *names):
    status, out, err = charlm("doctor", *names, "--json")
    assert err == ""
    return status, [json.loads(line) for line in out.splitlines()]


def test_a_sound_machine_is_told_by_topic(charlm, tiny):
    status, [found] = record(charlm)
    assert (status, found["problems"]) == (0, [])
    assert found["versions"]["torch"].startswith("9.9, imported in 0.0 s")
    assert found["versions"]["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["processor"]["threads"].startswith("3 in torch")
    assert found["cuda"]["devices"] == "torch is built without CUDA; training runs on the CPU"
    assert found["disk"]["CHARLM_HOME"] == str(tiny)
    assert found["disk"]["models"] == "2"
    assert found["disk"]["saves"] == "atomic, and synced to the disk"
    assert found["terminal"]["stdin"].startswith("pipe or file")
    assert sorted(path.name for path in tiny.iterdir()) == ["checkpoints"]


def test_the_page_ends_with_a_verdict(charlm, home):
    status, out, err = charlm("doctor")
    assert (status, err) == (0, "")
    assert out.startswith("versions\n  charlm ")
    assert out.endswith("\nno problems found\n")


@pytest.mark.parametrize(
    ("torch", "value"),
    [
        (None, "not installed"),
        ("a file that raises", "does not import: OSError: libtorch.so: no such file"),
    ],
)
def test_it_works_without_torch(charlm, home, monkeypatch, tmp_path, torch, value):
    monkeypatch.setitem(sys.modules, "torch", None)
    if torch:
        (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: no such file')\n")
        monkeypatch.delitem(sys.modules, "torch")
        monkeypatch.syspath_prepend(str(tmp_path))
    status, out, err = charlm("doctor")
    assert status == 1
    assert f"  torch          {value}\n" in out
    assert err.startswith(f"charlm: versions, torch: {value}: needed to train, not to use models")
    assert "threads   not asked" in out


def test_a_driver_that_fails_is_a_problem_and_no_end(no_torch):
    def fail():
        raise RuntimeError("CUDA driver too old")

    no_torch.cuda.is_available = fail
    [found] = [one for one in doctor_machine.look_at_machine() if one.topic == "cuda"]
    assert found.value == "fails: RuntimeError: CUDA driver too old"
    assert found.problem == "use --device cpu, or mend the driver"


def test_cards_are_listed(no_torch):
    about = types.SimpleNamespace(name="Card", total_memory=80e9)
    no_torch.version.cuda = "13.0"
    no_torch.cuda = types.SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda _: about,
        is_bf16_supported=lambda: True,
    )
    found = {one.name: one.value for one in doctor_machine.look_at_machine() if one.topic == "cuda"}
    assert found == {"version": "13.0", "device 0": "Card, 80 GB", "bfloat16": "yes"}


def disk():
    return {one.name: (one.value, one.problem) for one in doctor_disk.look_at_disk()}


def test_a_home_to_be_made_is_tried_in_the_folder_above(home, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(home / "a" / "b"))
    found = disk()
    assert found["CHARLM_HOME"] == (f"{home}/a/b (made when something is kept)", "")
    assert found["saves"][1] == ""
    assert list(home.iterdir()) == []


def test_a_file_in_the_place_of_the_home_is_a_problem(home, monkeypatch):
    (home / "file").write_text("x")
    monkeypatch.setenv("CHARLM_HOME", str(home / "file"))
    assert disk()["folder"][1] == f"{home}/file is in the way: set CHARLM_HOME to a folder"


def test_a_home_that_may_not_be_written_is_a_problem(home, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert disk()["writing"] == (
        "refused: Permission denied",
        f"{home} may not be written: set CHARLM_HOME to a folder of yours",
    )


def test_little_room_is_a_problem(home, monkeypatch):
    usage = types.SimpleNamespace(free=5_000_000, total=2_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert disk()["room"] == ("0.0 GB free of 2.0 GB", "less than 1 GB: free some space")


def test_fault_29_a_network_file_system_is_told(home, monkeypatch):
    monkeypatch.setattr(doctor_disk, "_file_system", lambda _: "nfs4")
    assert disk()["file system"] == (
        "nfs4",
        "a network file system: train in one place at a time, locks may not reach others",
    )


def test_fault_29_locks_that_do_not_hold_are_found(home, monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert disk()["locks"][0] == "fails: two hold one lock"


def test_fault_29_a_rename_that_fails_is_found(home, monkeypatch):
    def fail(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "replace", fail)
    value, problem = disk()["saves"]
    assert value.startswith("fails: ")
    assert "Operation not supported" in value
    assert problem == "set CHARLM_HOME to a folder on another disk"


def test_a_sound_model_is_called_so(charlm, tiny):
    assert charlm("doctor", "tiny") == (0, "tiny: sound\n", "")
    status, [found] = record(charlm, "tiny")
    folder = f"{tiny}/checkpoints/tiny"
    assert (status, found) == (
        0,
        {"name": "tiny", "folder": folder, "sound": True, "faults": [], "notes": []},
    )


def test_all_faults_of_a_model_are_told_at_once(charlm, tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "whole")
    folder = tiny / "checkpoints" / "tiny"
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "vocab.json").write_bytes(b"{}")
    (folder / "metrics.jsonl").write_text("{}\nnonsense\n")
    (folder / "extra.pt").write_bytes(b"\x80\x04")
    status, out, err = charlm("doctor", "tiny", "whole")
    assert (status, err) == (1, "")
    first, *lines, last = out.splitlines()
    assert (first, last) == ("tiny: damaged: 3 faults", "whole: sound")
    assert f"  fault: {folder}/model.safetensors was altered: its sha256 differs" in out
    assert f"  fault: {folder}/vocab.json is cut: it has 2 bytes, " in out
    assert f"  fault: {folder}/metrics.jsonl, line 2, is not sound JSON: " in out
    assert lines[-1] == "  note: extra.pt is no file of the model; it is never opened"


def test_a_model_card_may_be_written_in(charlm, tiny):
    (tiny / "checkpoints" / "tiny" / "README.md").write_text("# My notes\n")
    note = "README.md is not as it was saved; nothing depends on it"
    assert charlm("doctor", "tiny") == (0, f"tiny: sound\n  note: {note}\n", "")


def test_files_that_do_not_fit_each_other_are_a_fault(tiny, monkeypatch, forge):
    folder = tiny / "checkpoints" / "tiny"
    config = json.loads((folder / "config.json").read_text())
    config["model"]["hidden_size"] = 9
    forge(folder, "config.json", json.dumps(config).encode())
    found = check_model("tiny")
    assert not found.sound
    assert found.faults[0].startswith(
        f"{folder}/model.safetensors does not fit its config: tensor 'layers.0.weight_ih' has "
    )


def test_a_model_that_is_being_trained_is_told(tiny):
    with FolderLock(tiny / "checkpoints" / "tiny"):
        [note] = check_model("tiny").notes
    assert " is in use by process " in note


def test_half_moved_saves_are_told(tiny):
    folder = tiny / "checkpoints" / "tiny"
    (folder / ".saving").mkdir()
    assert check_model("tiny").notes == ("a save was broken off; the next training clears it away",)


def test_a_model_that_is_not_there_is_one_line(charlm, home):
    status, out, err = charlm("doctor", "zzz")
    assert (status, out) == (1, "")
    assert err.startswith("charlm: no checkpoint 'zzz' in ")
