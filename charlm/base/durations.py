"""Durations as people write them: `90s`, `3m`, `1h30m`, `45`."""

from __future__ import annotations

import re

from charlm.base.errors import ConfigError

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s|)", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds that `90s`, `3m` or `1h30m` means; a bare number is seconds.

    Raises:
        ConfigError: if the text is no duration, or is zero.

    Example:
        >>> parse_duration("1h30m"), parse_duration("0.5m"), parse_duration("20")
        (5400.0, 30.0, 20.0)
    """
    cleaned = text.strip().lower()
    parts = _PART.findall(cleaned)
    if not parts or _PART.sub("", cleaned).strip():
        raise ConfigError(f"{text!r} is no duration; write 90s, 3m, 1h or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0.0 < seconds < 1e9:
        raise ConfigError(f"{text!r} is no duration above zero; write 90s, 3m, 1h or 1h30m")
    return seconds


def format_duration(seconds: float) -> str:
    """Return seconds as a person reads them.

    Example:
        >>> format_duration(9.4), format_duration(75), format_duration(3725)
        ('9s', '1m15s', '1h02m')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3_600}h{whole % 3_600 // 60:02d}m"
