"""What lives between the lines of a session: model, settings, texts."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlm.base.errors import CharlmError
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import flush_out, out, talk
from charlm.repl.asking import open_writer
from charlm.repl.kept import Others
from charlm.repl.signals import Interrupts

if TYPE_CHECKING:
    from charlm.repl.child import Training
    from charlm.tasks.load import OpenModel

# A long session stays small: texts for /undo, lines for /history, characters of each.
KEPT_TEXTS = 200
KEPT_LINES = 1_000
KEPT_CHARS = 20_000
KEPT_NOTICES = 100
# Words of a command line and a half word -> what it may become, each with a word on it; None: files
CompleteLine = Callable[[list[str], str], list[tuple[str, str]] | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A text that was written: how it began, what which model added, by which seed and settings."""

    prompt: str
    text: str = ""
    seed: int | None = None
    model: str = ""
    config: SamplingConfig = dataclasses.field(default_factory=SamplingConfig)

    @property
    def whole(self) -> str:
        """Prompt and text, or the end of both where they are long."""
        return (self.prompt + self.text)[-KEPT_CHARS:]


class Session:
    """The state of a session. It opens its model in a thread, as soon as it is made.

    Args:
        model: a name or folder; None takes the newest, else the bundled one.
        config: how texts are drawn; a seed holds for all of them.
    """

    def __init__(self, model: str | None = None, config: SamplingConfig | None = None) -> None:
        self.config = config or SamplingConfig()
        self.named: set[str] = set()  # settings that were given in the session
        self.texts: deque[Written] = deque(maxlen=KEPT_TEXTS)
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.speed: float | None = None
        self.seed: int | None = self.config.seed
        self.done = False
        self.leaving = False
        self.interrupts = Interrupts()
        self.training: Training | None = None
        self.notices = Notices()
        self.draft: str | None = None  # what the next line begins as, where it can be edited
        self.others = Others()
        self.complete_training: CompleteLine = _no_completion
        self.heed_text: Callable[[Written], None] = _forget  # a transcript wants every text
        self.offer = ""  # a command that the prompt offers first
        self._busy = threading.Lock()
        self._asked = 0
        self._opened: OpenModel | None = None
        self._loading: _Loading | None = None
        self._usual = self.config  # without a model's own settings
        self._brought: set[str] = set()  # settings that came with the model
        self._drawn_as: Path | None = None  # the model that they came with
        self._wrong = ""  # what is wrong with them, told once
        self.choose(model)

    def choose(self, model: str | None) -> None:
        """Have another model from now on; what is wrong with it, `opened` tells.

        How its texts are drawn holds at once: the first line may ask, or change it.
        """
        from charlm.store.locate import LANGUAGE_MODEL_KINDS, find_model  # no NumPy: it takes long

        self._name, self._opened = model, None
        self._loading = _Loading(model)
        with contextlib.suppress(CharlmError, OSError):
            self._draw_as(find_model(model, LANGUAGE_MODEL_KINDS).folder)

    def opened(self) -> OpenModel:
        """Return the model, when it is there.

        Raises:
            CharlmError: if it cannot be opened. The next call tries it again.
        """
        if self._opened is None:
            loading, self._loading = self._loading or _Loading(self._name), None
            opened = loading.result()
            self._take(opened)
            return opened
        return self._opened

    def use(self, opened: OpenModel) -> None:
        """Take a model that is open already."""
        self._name, self._loading, self._drawn_as = str(opened.folder), None, None
        self._take(opened)

    def _take(self, opened: OpenModel) -> None:
        """Have a model, and draw its texts as the file beside it says."""
        self._opened = opened
        if opened.folder != self._drawn_as:
            self._draw_as(opened.folder)

    def _draw_as(self, folder: Path) -> None:
        """Draw texts as the file beside a model says, but for what was set in the session."""
        from charlm.tasks.sampling_habits import read_habits

        before = {name: getattr(self._usual, name) for name in self._brought}
        self._drawn_as, self._brought, wrong = folder, set(), ""
        try:
            found = read_habits(folder)
            self._draw(before | found)
            self._brought = set(found)
        except CharlmError as error:
            wrong = f"charlm: warning: {error}"
            self._draw(before)
        if wrong and wrong != self._wrong:
            self.notices.add(wrong)
        self._wrong = wrong

    def _draw(self, settings: Mapping[str, Any]) -> None:
        own = {name: value for name, value in settings.items() if name not in self.named}
        self.config = dataclasses.replace(self.config, **own)

    @property
    def model_name(self) -> str:
        """What the toolbar calls the model, without waiting for it."""
        ready = self.ready()
        return ready.name if ready else self._name or "…"

    def ready(self) -> OpenModel | None:
        """Return the model if it is open, else None, at once."""
        if self._opened is None and self._loading is not None and self._loading.found is not None:
            self._take(self._loading.found)
        return self._opened

    @property
    def last(self) -> Written | None:
        """The text that was written last."""
        return self.texts[-1] if self.texts else None

    def add_text(self, text: Written) -> None:
        """Take a text that was written."""
        self.texts.append(text)
        self.heed_text(text)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Have the model alone; guesses that run in a thread give way at their next token."""
        self._asked += 1
        with self._busy:
            yield

    @contextmanager
    def guessing(self) -> Iterator[Any]:
        """Have the model for a guess: yields what tells whether it is still wanted."""
        with self._busy:
            asked = self._asked
            yield lambda: asked == self._asked

    def close(self) -> None:
        """Wait for a model that is still being opened: no thread may outlive the session."""
        if self._loading is not None:
            self._loading.wait()
        self.notices.show()

    def draw_seed(self, config: SamplingConfig) -> int | None:
        """Return the seed of the next text: the one that was set, else a new one."""
        if config.beam_size or config.temperature == 0.0:
            self.seed = None
        elif config.seed is not None:
            self.seed = config.seed
        else:
            self.seed = int.from_bytes(os.urandom(4), "little")
        return self.seed


class Notices:
    """What happened meanwhile, to be told between two lines."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = _nothing  # a prompt that is open wants to know
        self._waiting: deque[tuple[bool, str]] = deque(maxlen=KEPT_NOTICES)

    def add(self, text: str, *, is_result: bool = False) -> None:
        """Have a line told: a result on stdout, all else on stderr."""
        self._waiting.append((is_result, text))

    def show(self) -> None:
        """Tell all that wait."""
        while self._waiting:
            is_result, text = self._waiting.popleft()
            if is_result:
                out(text)
                flush_out()
            else:
                talk(text)

    def __bool__(self) -> bool:
        return bool(self._waiting)


def _no_completion(_: list[str], __: str) -> list[tuple[str, str]] | None:
    """Offer nothing."""
    return []


def _nothing() -> None:
    """Nobody wants to know."""


def _forget(_: Written) -> None:
    """Nobody keeps it."""


class _Loading:
    """A model on its way."""

    def __init__(self, model: str | None) -> None:
        self.found: OpenModel | None = None
        self._error: BaseException | None = None
        self._model = model
        self._thread = threading.Thread(target=self._open, daemon=True, name="open-model")
        self._thread.start()

    def _open(self) -> None:
        try:
            self.found = open_writer(self._model)
        except Exception as error:  # it is told where the model is asked for
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def result(self) -> OpenModel:
        self.wait()
        if self.found is None:
            raise self._error or RuntimeError("the model was not opened")
        return self.found
