"""What a save of a model of 50 MB costs a training: how long it stands still, how it slows down.

    python benchmarks/saving.py [--seconds 40] [--hidden-size 1600]

The model has 12 million float32 weights; with optimiser, averages and the best weights so far a
save writes some 300 MB. A step is timed from the end of the one before, so that whatever a save
does in between counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from charlm.tasks import train_run
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import Planned, Saved
from charlm.training.config import TrainConfig

SAVE_EVERY = 8


class Watch:
    """Times every step and every beginning of a save of the run in this process."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, bool]] = []  # seconds, whether a save was being written
        self.stalls: list[float] = []
        self.writes: list[float] = []
        self._began = 0.0

    def install(self) -> None:
        """Put clocks around the loop and the saves."""
        steps, start, run = train_run.train_steps, train_run.Run._start_save, train_run.Run

        def timed_steps(trainer, progress) -> Iterator:
            last = time.perf_counter()
            for update in steps(trainer, progress):
                yield update
                now = time.perf_counter()
                self.steps.append((now - last, self.saver.busy))
                last = now

        def timed_start(this) -> None:
            begun = time.perf_counter()
            start(this)
            self.saver, self._began = this.saver, begun
            self.stalls.append(time.perf_counter() - begun)

        train_run.train_steps, run._start_save = timed_steps, timed_start

    def saved(self) -> None:
        """Note that a save has reached the disk."""
        self.writes.append(time.perf_counter() - self._began)


def main() -> None:
    """Train for a while with frequent saves and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--hidden-size", type=int, default=1600)
    parser.add_argument("--folder", help="where to save (default: a temporary folder)")
    options = parser.parse_args()
    watch = Watch()
    watch.install()
    config = TrainConfig(
        max_time=f"{options.seconds}s",
        save_every=f"{SAVE_EVERY}s",
        hidden_size=options.hidden_size,
        embedding_dim=256,
        num_layers=1,
        batch_size=16,
        bptt=16,
        precision="float32",
        ema=0.5,
        valid_fraction=0.0002,
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        os.environ["CHARLM_HOME"] = home
        for event in train_language_model(["python"], config, name="large"):
            if isinstance(event, Planned):
                print(f"{event.model}, {event.parameters:,} weights, {event.threads} threads")
            elif isinstance(event, Saved):
                watch.saved()
        folder = Path(home) / "checkpoints" / "large"
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    alone = [seconds for seconds, busy in watch.steps if not busy]
    beside = [seconds for seconds, busy in watch.steps if busy]
    during = watch.stalls[1:-1]  # not the first, before step 1, nor the last, after the end
    print(f"saves while training        {len(during)}")
    print(f"training stands still       {1e3 * statistics.median(during):.0f} ms in the middle, "
          f"{1e3 * max(during):.0f} ms at most")  # fmt: skip
    print(f"a save is on disk after     {statistics.median(watch.writes):.1f} s")
    print(f"a step, no save under way   {1e3 * statistics.median(alone):.0f} ms")
    print(f"a step beside a save        {1e3 * statistics.median(beside):.0f} ms in the middle, "
          f"{1e3 * max(beside):.0f} ms at most")  # fmt: skip
    lost = (sum(beside) - len(beside) * statistics.median(alone)) / len(during)
    print(f"time lost to a save in all  {1e3 * lost:.0f} ms")
    print(f"the folder in the end       {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
