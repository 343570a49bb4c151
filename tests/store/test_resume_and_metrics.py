from __future__ import annotations

import errno
import math
import os

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import (
    MetricsLog,
    clear_resume,
    load_resume,
    read_metrics,
    save_resume,
)


@pytest.fixture
def states(tmp_path):
    for step in (10, 20):
        save_resume(tmp_path, step, {"w": np.full(4, step, np.float32)}, {"epoch": step / 10})
    return tmp_path


def test_every_number_comes_back_exactly_and_may_be_changed(tmp_path):
    tensors = {
        "w": np.array([0.1, -0.0, 1e-45], np.float32),
        "moment": np.array(0.1, np.float64),
        "rng": np.arange(5, dtype=np.uint8),
    }
    generator = np.random.default_rng(5).bit_generator.state  # has 128-bit integers
    save_resume(tmp_path, 3, tensors, {"rng": generator, "best": 0.1})
    found = load_resume(tmp_path)
    assert (found.step, found.state, found.warning) == (3, {"rng": generator, "best": 0.1}, None)
    for name, array in tensors.items():
        assert found.tensors[name].tobytes() == array.tobytes()
        assert found.tensors[name].dtype == array.dtype
        found.tensors[name][...] = 0


def test_two_states_are_kept_and_the_newest_loaded(states):
    save_resume(states, 30, {"w": np.zeros(1)}, {})
    names = sorted(path.name for path in (states / "resume").iterdir())
    assert names == [f"state-{n}.{end}" for n in (2, 3) for end in ("json", "safetensors")]
    assert load_resume(states).step == 30


def test_the_last_save_counts_even_if_its_step_is_smaller(states):
    save_resume(states, 5, {"w": np.zeros(1)}, {})
    assert load_resume(states).step == 5


@pytest.mark.parametrize("name", ["state-2.safetensors", "state-2.json"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_torn_or_altered_newest_state_gives_way_to_the_one_before(states, name, data):
    path = states / "resume" / name
    original = path.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    if data.draw(st.booleans()):
        changed = original[:place]
    else:
        changed = bytearray(original)
        changed[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(changed)
        found = load_resume(states)
    finally:
        path.write_bytes(original)
    if found.warning is None:  # a blank of the JSON file that became another blank
        assert (found.step, found.state) == (20, {"epoch": 2.0})
    else:
        assert (found.step, found.state) == (10, {"epoch": 1.0})
        assert found.tensors["w"].tolist() == [10] * 4
        assert found.warning.endswith("; going on from step 10")


def test_a_fallback_says_why(states):
    path = states / "resume" / "state-2.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    size = path.stat().st_size
    assert load_resume(states).warning == (
        f"{path} is cut or was altered: it has {size} bytes; going on from step 10"
    )


def test_a_torn_state_is_not_kept_as_the_fallback(states):
    (states / "resume" / "state-2.safetensors").write_bytes(b"")
    save_resume(states, 30, {"w": np.zeros(1)}, {})
    (states / "resume" / "state-3.safetensors").write_bytes(b"")
    assert load_resume(states).step == 10


def test_no_whole_state_is_an_error_and_none_at_all_is_none(states, tmp_path):
    for path in (states / "resume").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(CheckpointError) as caught:
        load_resume(states)
    assert str(caught.value) == (
        f"{states / 'resume' / 'state-2.safetensors'} is missing; "
        "no whole training state is left: use --overwrite"
    )
    clear_resume(states)
    assert load_resume(states) is None
    assert not (states / "resume").exists()
    clear_resume(states)


def test_clearing_keeps_what_is_not_ours(states):
    (states / "resume" / "notes.txt").write_text("mine")
    clear_resume(states)
    assert [path.name for path in (states / "resume").iterdir()] == ["notes.txt"]


def test_a_state_with_nan_is_a_callers_mistake(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_resume(tmp_path, 1, {}, {"best": math.inf})
    assert not (tmp_path / "resume").exists()


def test_records_come_back_line_by_line(tmp_path):
    with MetricsLog(tmp_path) as log:
        assert log.append({"step": 1, "loss": 0.5}) is None
        assert log.append({"step": np.int64(2), "loss": math.nan, "text": "Ж\n"}) is None
        assert read_metrics(tmp_path) == [
            {"step": 1, "loss": 0.5},
            {"step": 2, "loss": None, "text": "Ж\n"},
        ]
    assert read_metrics(tmp_path / "none") == []


def test_resuming_keeps_the_records_up_to_the_step_and_a_new_run_none(tmp_path):
    with MetricsLog(tmp_path) as log:
        for step in range(5):
            log.append({"step": step})
    with MetricsLog(tmp_path, resume_step=2) as log:
        log.append({"step": 3, "again": True})
    assert read_metrics(tmp_path) == [
        {"step": 0},
        {"step": 1},
        {"step": 2},
        {"step": 3, "again": True},
    ]
    MetricsLog(tmp_path).close()
    assert read_metrics(tmp_path) == []


@given(cut=st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_torn_at_any_byte_is_read_and_continued(tmp_path, cut):
    with MetricsLog(tmp_path) as log:
        for step in range(4):
            log.append({"step": step})
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:cut])
    whole = min(cut // len(b'{"step": 0}\n'), 4)
    assert [record["step"] for record in read_metrics(tmp_path)] == list(range(whole))
    with MetricsLog(tmp_path, resume_step=9) as log:
        log.append({"step": 9})
    assert [record["step"] for record in read_metrics(tmp_path)] == [*range(whole), 9]


def test_a_bad_line_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n[]\n')
    with pytest.raises(CheckpointError) as caught:
        read_metrics(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'metrics.jsonl'}, line 2, holds a list; expected an object"
    )


def test_a_full_disk_costs_records_and_one_warning(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path)
    log.append({"step": 1})
    real = os.pwrite

    def half(fd, data, offset):
        return real(fd, data[: len(data) // 2], offset)

    def full(fd, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half)
    assert log.append({"step": 2}) == (
        f"cannot write {tmp_path / 'metrics.jsonl'}: No space left on device; "
        "training goes on without it"
    )
    monkeypatch.setattr(os, "pwrite", full)
    assert log.append({"step": 3}) is None
    monkeypatch.setattr(os, "pwrite", real)
    assert log.append({"step": 4}) is None
    log.close()
    log.close()
    assert read_metrics(tmp_path) == [{"step": 1}, {"step": 4}]


def test_a_linked_log_is_not_written_through(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="cannot write"):
        MetricsLog(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
