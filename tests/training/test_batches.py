"""Streams over a text: what the readers see, in which order, and what a resumption restores."""

import numpy as np
import pytest

from charlm.text.token_files import TokenWriter, open_tokens
from charlm.training import batches
from charlm.training.batches import Streams
from charlm.training.evaluate import Validation

TEXT = np.arange(100, dtype=np.int32)
NEVER = np.zeros(101, dtype=bool)


def streams(ids=TEXT, ends=NEVER, *, batch=4, bptt=5, restarts=0.0, seed=0) -> Streams:
    return Streams(
        ids,
        ends,
        bos_id=100,
        batch_size=batch,
        bptt=bptt,
        restart_probability=restarts,
        rng=np.random.default_rng(seed),
    )


def test_one_epoch_predicts_every_token_once():
    reader = streams()
    seen = np.concatenate([reader.next_window().targets.ravel() for _ in range(5)])
    assert sorted(seen.tolist()) == TEXT.tolist()


def test_the_first_window_starts_at_the_beginning_of_a_text():
    window = streams().next_window()
    assert window.restarted.all()
    assert window.inputs[:, 0].tolist() == [100, 100, 100, 100]
    assert window.inputs[1].tolist() == [100, 25, 26, 27, 28]
    assert window.targets[1].tolist() == [25, 26, 27, 28, 29]


def test_later_windows_go_on_where_the_last_ended():
    reader = streams()
    reader.next_window()
    window = reader.next_window()
    assert not window.restarted.any()
    assert window.inputs[0].tolist() == [4, 5, 6, 7, 8]
    assert window.targets[0].tolist() == [5, 6, 7, 8, 9]


def test_a_reader_at_the_end_begins_anew_at_the_beginning():
    reader = streams(batch=1, bptt=60)
    reader.next_window()
    assert reader.next_window().targets[0, -1] == 19
    window = reader.next_window()
    assert window.restarted.tolist() == [True]
    assert window.inputs[0, 0] == 100


def test_a_restart_jumps_to_the_next_line_start():
    ends = NEVER.copy()
    ends[7] = True
    reader = streams(ends=ends, batch=1, restarts=1.0)
    assert reader.next_window().targets[0].tolist() == [0, 1, 2, 3, 4]
    window = reader.next_window()
    assert window.inputs[0].tolist() == [100, 8, 9, 10, 11]
    assert window.targets[0].tolist() == [8, 9, 10, 11, 12]


def test_restarts_come_at_their_rate():
    reader = streams(batch=10, restarts=0.2)
    reader.next_window()
    share = np.mean([reader.next_window().restarted.mean() for _ in range(400)])
    # readers that reach the end begin anew as well: 5 tokens of 100 a window
    assert share == pytest.approx(0.2 + 0.8 * 0.05, abs=0.03)


def test_a_restored_reader_goes_on_bit_for_bit():
    ends = NEVER.copy()
    ends[::9] = True
    one, other = (streams(ends=ends, restarts=0.3, seed=seed) for seed in (1, 2))
    for _ in range(7):
        one.next_window()
    other.restore(one.state())
    for _ in range(20):
        expected, found = one.next_window(), other.next_window()
        np.testing.assert_array_equal(found.inputs, expected.inputs)
        np.testing.assert_array_equal(found.targets, expected.targets)
        np.testing.assert_array_equal(found.restarted, expected.restarted)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4"])
def test_mapped_ids_of_any_type_give_the_same_windows(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(batches, "RELEASE_TOKENS", 64)  # pages are let go all the time
    with TokenWriter(tmp_path, "key", np.dtype(dtype)) as writer:
        writer.append(TEXT, 0)
        writer.finish()
    mapped = open_tokens(tmp_path, "key", np.dtype(dtype)).ids
    ends = NEVER.copy()
    ends[::9] = True
    one, other = (streams(ids, ends, restarts=0.3) for ids in (TEXT, mapped))
    for _ in range(60):
        expected, found = one.next_window(), other.next_window()
        np.testing.assert_array_equal(found.inputs, expected.inputs)
        np.testing.assert_array_equal(found.targets, expected.targets)
        assert found.inputs.dtype == expected.inputs.dtype == np.int64
    held_out, same = Validation(TEXT, 100, 64), Validation(mapped, 100, 64)
    assert held_out.inputs.tolist() == same.inputs.tolist()
    assert held_out.targets.tolist() == same.targets.tolist()
