"""A quick share of the mutated files of `benchmarks/fuzzing.py`: only our own errors come out."""

import pytest
from mutation import cases
from readers import READERS

from charlm.base.errors import CharlmError

COUNT, SLOW_COUNT = 60, 15


@pytest.mark.parametrize("kind", READERS)
def test_mutated_files_give_only_errors_of_ours(home, kind):
    reader = READERS[kind](home)
    reader.read(reader.seed)
    count = SLOW_COUNT if kind.startswith("resumed") else COUNT  # they train
    for number, data in cases(reader.seed, reader.how, count):
        try:
            reader.read(data)
        except CharlmError:
            continue
        except BaseException as error:
            error.add_note(f"case {number} of {kind}")
            raise


def test_fault_05_every_flipped_bit_of_a_model_is_found_by_its_checksum(tiny):
    from charlm.store.checkpoint import load_model

    folder = tiny / "checkpoints" / "tiny"
    for name in ("config.json", "model.safetensors", "training.json", "vocab.json"):
        path = folder / name
        whole = path.read_bytes()
        for place in range(0, len(whole), max(len(whole) // 40, 1)):
            path.write_bytes(
                whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
            )
            with pytest.raises(CharlmError, match=f"{name} was altered"):
                load_model(folder)
        path.write_bytes(whole)
