"""What a user settles once for all sessions: `charlm/repl.toml` in the folder for configuration."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from charlm.base.config import check, from_json, setting, settings_of
from charlm.base.errors import ConfigError
from charlm.generation.sampling import SamplingConfig

_MOST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ReplConfig:
    """Settings of `repl.toml`; its table `[sampling]` holds those of `charlm sample`."""

    keys: str = setting("emacs", "how keys edit a line", choices=("emacs", "vi"))
    history: bool = setting(True, "keep the lines for the next session")
    transcript: str = setting("", "a .jsonl file to which every text is appended")
    ghost: bool = setting(True, "show in grey how the model would go on")
    mouse: bool = setting(False, "let the mouse choose completions and place the cursor")
    drawn: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        check(self)

    def sampling(self) -> SamplingConfig:
        """Return how texts are drawn at the beginning of a session."""
        return SamplingConfig(**dict(self.drawn))


def config_path() -> Path:
    """Return where the settings are, if there are any."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "charlm" / "repl.toml"


def history_path() -> Path:
    """Return where the lines of past sessions are."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "charlm" / "history"


def read_settings() -> tuple[ReplConfig, str]:
    """Return the user's settings, and what is wrong with them if the defaults took their place."""
    try:
        path = config_path()
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return ReplConfig(), ""
    except (OSError, RuntimeError) as error:
        return ReplConfig(), f"settings not read: {error}"
    import tomllib

    try:
        return parse_settings(tomllib.loads(data.decode("utf-8"))), ""
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ConfigError) as error:
        return ReplConfig(), f"{path}: {error}; defaults are in use"


def parse_settings(values: dict[str, Any]) -> ReplConfig:
    """Return the settings of a TOML document.

    Raises:
        ConfigError: for unknown keys, and values of a wrong type or out of range.
    """
    values = dict(values)
    drawn = values.pop("sampling", {})
    from_json(SamplingConfig, drawn, where="[sampling]")
    known = settings_of(ReplConfig)
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(f"unknown keys {', '.join(unknown)}; known: {', '.join(known)}, sampling")
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in drawn.items()}
    return ReplConfig(**values, drawn=tuple(plain.items()))
