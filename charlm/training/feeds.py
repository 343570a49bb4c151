"""Windows of a training text in buffers of the device, filled without waiting for it.

Which places of the text are next is decided on the host, by `Streams`, as anywhere: that costs
microseconds a step, and a saved state is the same wherever a run goes on.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from charlm.training.batches import Ids, Streams

# A copy to the device is read from the host's memory some time after it is asked for; so many
# steps may be under way before the memory is written anew. It is also how far the host runs ahead.
AHEAD = 16
# Of the free memory of a device a text may take this share; a larger one stays on the host.
SHARE_OF_MEMORY = 0.25
UPLOAD_TOKENS = 1 << 24


class Relay:
    """Brings arrays of one shape to a buffer on the device, one a step, never waiting for it.

    On a GPU an array is laid into memory that the device can read by itself, and the copy takes
    its turn behind the work that was asked for before. The host waits only where it is `AHEAD`
    steps ahead.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self.buffer = torch.zeros(shape, dtype=dtype, device=device)
        self._cuda = device.type == "cuda"
        count = AHEAD if self._cuda else 1
        self._slots = [torch.zeros(shape, dtype=dtype, pin_memory=self._cuda) for _ in range(count)]
        self._views = [slot.numpy() for slot in self._slots]
        self._read: list[torch.cuda.Event | None] = [None] * count
        self._next = 0

    def send(self, *parts: np.ndarray) -> None:
        """Let the buffer hold these arrays, end to end, once the work before is done."""
        number = self._next
        self._next = (number + 1) % len(self._slots)
        event = self._read[number]
        if event is not None:
            event.synchronize()
        flat = self._views[number].reshape(-1)
        start = 0
        for part in parts:
            flat[start : start + part.size] = part.reshape(-1)
            start += part.size
        self.buffer.copy_(self._slots[number], non_blocking=True)
        if self._cuda:
            event = event or torch.cuda.Event()
            event.record()
            self._read[number] = event


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceWindow:
    """What `Window` is, on the device, where each piece of work costs the more the less it is.

    Shapes:
        inputs, targets: (B, T), views of (T, B), which is how they are read.
        kept: (B,) int64, 0 for rows that begin anew, else 1.
    """

    inputs: Tensor
    targets: Tensor
    kept: Tensor


class ResidentFeed:
    """Windows gathered on the device, which holds the whole text.

    Args:
        streams: tells the places; moved on by `send`.
        device: of the text and of all buffers.
    """

    def __init__(self, streams: Streams, device: torch.device) -> None:
        self.streams = streams
        self._ids = uploaded(streams.ids, device)
        rows = len(streams.cursors[streams.rows])
        self._places = Relay((2, rows), torch.int64, device)
        self._steps = torch.arange(-1, streams.bptt, device=device).unsqueeze(1)

    def send(self) -> None:
        """Move all readers on, and bring their places to the device."""
        cursors, restarted = self.streams.advance()
        self._places.send(cursors, ~restarted)

    def window(self) -> DeviceWindow:
        """Return what was sent last; work on the device alone, the same at every step."""
        cursors, kept = self._places.buffer
        places = (cursors + self._steps).remainder_(len(self._ids))
        tokens = self._ids[places].long()  # (T + 1, B), the first of which is no target
        tokens[0].masked_fill_(kept == 0, self.streams.bos_id)
        return DeviceWindow(tokens[:-1].t(), tokens[1:].t(), kept)


class HostFeed:
    """Windows gathered on the host, for texts that would crowd the device."""

    def __init__(self, streams: Streams, device: torch.device) -> None:
        self.streams = streams
        self._rows = len(streams.cursors[streams.rows])
        self._relay = Relay((2 * streams.bptt + 1, self._rows), torch.int64, device)

    def send(self) -> None:
        """Read the next window and bring it to the device."""
        window = self.streams.next_window()
        self._relay.send(window.inputs.T, window.targets.T, ~window.restarted)

    def window(self) -> DeviceWindow:
        """Return what was sent last; work on the device alone, the same at every step."""
        bptt, whole = self.streams.bptt, self._relay.buffer
        return DeviceWindow(whole[:bptt].t(), whole[bptt : 2 * bptt].t(), whole[2 * bptt])


Feed = ResidentFeed | HostFeed


def choose_feed(streams: Streams, device: torch.device) -> Feed:
    """Return the feed of the device's own copy of the text where there is room for one."""
    if device.type != "cuda":
        return ResidentFeed(streams, device)
    free, _ = torch.cuda.mem_get_info(device)
    needed = len(streams.ids) * id_type(streams.bos_id).itemsize
    return (ResidentFeed if needed <= SHARE_OF_MEMORY * free else HostFeed)(streams, device)


def id_type(largest: int) -> torch.dtype:
    """Return the smallest type of integers up to `largest`, of those that all devices know."""
    for dtype in (torch.uint8, torch.int16):
        if largest <= torch.iinfo(dtype).max:
            return dtype
    return torch.int32


def uploaded(ids: Ids, device: torch.device) -> Tensor:
    """Return a text's ids on the device, in their smallest type; copied piece by piece."""
    highest = int(max((part.max() for part in _pieces(ids)), default=0))
    found = torch.empty(len(ids), dtype=id_type(highest), device=device)
    start = 0
    for part in _pieces(ids):
        found[start : start + len(part)] = torch.from_numpy(part.astype(np.int32)).to(device)
        start += len(part)
    return found


def _pieces(ids: Ids) -> list[Ids]:
    return [ids[start : start + UPLOAD_TOKENS] for start in range(0, len(ids), UPLOAD_TOKENS)]
