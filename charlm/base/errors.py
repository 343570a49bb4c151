"""Every error that charlm raises for a reason a user can do something about.

CharlmError
├── CorpusError      text that cannot be read, is empty, or is too short
├── TokenizerError   a tokenizer that cannot be built, loaded or used on this text
├── ConfigError      an option or a field out of range (also a ValueError)
├── CheckpointError  a model folder that is missing, damaged, foreign or locked
└── TaskError        this model, machine or build cannot do what was asked

A message says what was found, what was expected and what to do. A caller's mistake in code
stays `ValueError` or `TypeError`.
"""


class CharlmError(Exception):
    """Base of all errors that are shown to a user as one line."""


class CorpusError(CharlmError):
    """A text could not be read, is empty, or is too short for its use."""


class TokenizerError(CharlmError):
    """A tokenizer could not be built, loaded or applied."""


class ConfigError(CharlmError, ValueError):
    """A setting is unknown, of the wrong type or out of its range."""


class CheckpointError(CharlmError):
    """A model folder is missing, damaged, made by a newer version, or in use."""


class TaskError(CharlmError):
    """What was asked cannot be done with this model or on this machine."""
