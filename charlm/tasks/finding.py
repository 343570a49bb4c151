"""One thing that was found out about a machine."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A fact under a topic; `problem` says what to do where it is one."""

    topic: str
    name: str
    value: str
    problem: str = ""
