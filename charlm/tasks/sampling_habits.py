"""How one model's texts are drawn where the user says nothing: `NAME.toml` beside its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charlm.base.config import from_json
from charlm.base.errors import ConfigError
from charlm.generation.sampling import SamplingConfig

_MOST_BYTES = 1 << 16


def habits_path(folder: Path) -> Path:
    """Return where a model's habits are, if it has any."""
    return folder.with_name(folder.name + ".toml")


def read_habits(folder: Path) -> dict[str, Any]:
    """Return the settings of `SamplingConfig` that stand beside a model's folder.

    Raises:
        ConfigError: if the file is no TOML, or a setting is unknown or out of its range.
    """
    path = habits_path(folder)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return {}
    import tomllib

    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    checked = from_json(SamplingConfig, values, where=str(path))
    return {name: getattr(checked, name) for name in values}
