"""The prompt of a terminal: keys, completion, ghost text, history, toolbar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application.current import get_app
from prompt_toolkit.auto_suggest import AutoSuggest, ThreadedAutoSuggest
from prompt_toolkit.auto_suggest import Suggestion as Ghost
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from charlm.render.console import one_line, talk
from charlm.render.tables import columns_of, cut
from charlm.repl.commands import COMMANDS
from charlm.repl.history import open_history
from charlm.repl.parsing import is_open
from charlm.repl.session import Session
from charlm.repl.settings import ReplConfig, history_path
from charlm.repl.suggest import guess, is_command, suggest

MENU_ROWS = 8
STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "command": "ansicyan bold",
        "unknown": "ansired",
        "auto-suggestion": "ansibrightblack",
        "bottom-toolbar": "noreverse ansibrightblack",
    }
)


class Prompt:
    """Reads the lines of a session from a terminal.

    Args:
        session: what the lines are for.
        settings: of the user.
        keep_history: whether lines are kept for the next session.
        input: keys from elsewhere than the terminal, for tests.
        output: where to draw, for tests.
    """

    def __init__(
        self,
        session: Session,
        settings: ReplConfig,
        *,
        keep_history: bool,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._prompts = _Fitted(
            message=[("class:prompt", "> ")],
            style=STYLE,
            lexer=_Colours(),
            history=open_history(history_path()) if keep_history else InMemoryHistory(),
            completer=ThreadedCompleter(_Completer(session)),
            complete_while_typing=Condition(_writes_command),
            auto_suggest=ThreadedAutoSuggest(_Ghost(session)) if settings.ghost else None,
            editing_mode=EditingMode.VI if settings.keys == "vi" else EditingMode.EMACS,
            enable_open_in_editor=True,
            tempfile_suffix=".txt",
            mouse_support=settings.mouse,
            multiline=True,  # Enter is bound below; so a pasted text keeps its lines
            prompt_continuation=[("class:prompt", "… ")],
            key_bindings=_keys(),
            input=input,
            output=output,
        )
        self._prompts.state = lambda columns: toolbar(session, columns)
        self._hinted = False

    def read(self) -> str:
        """Return the next line; Ctrl-D on an empty one raises EOFError."""
        try:
            text: str = self._prompts.prompt()
        except KeyboardInterrupt:
            if not self._prompts.default_buffer.text and not self._hinted:
                self._hinted = True
                talk("Ctrl-D or /quit leaves")
            raise
        return text


class _Fitted(PromptSession[str]):
    """A prompt that asks for no more rows than there are, whatever becomes of the terminal."""

    state: Any = None

    @property
    def reserve_space_for_menu(self) -> int:
        return max(0, min(MENU_ROWS, self._rows() - 4))

    @reserve_space_for_menu.setter
    def reserve_space_for_menu(self, rows: int) -> None:
        """The rows follow from the terminal."""

    @property
    def bottom_toolbar(self) -> StyleAndTextTuples | None:
        if self._rows() < 3 or self.state is None:
            return None
        return [("", self.state(self.app.output.get_size().columns))]

    @bottom_toolbar.setter
    def bottom_toolbar(self, value: object) -> None:
        """It follows from the session."""

    def _rows(self) -> int:
        return self.app.output.get_size().rows


def toolbar(session: Session, columns: int) -> str:
    """Return the state of a session in one line, as much of it as fits."""
    config = session.config
    seed = "random" if session.seed is None else str(session.seed)
    if config.seed is not None:
        seed += " (set)"
    parts = [
        one_line(session.model_name),
        f"temperature {config.temperature:g}",
        f"top-p {config.top_p:g}",
        f"seed {seed}",
    ]
    if session.speed is not None:
        parts.append(f"{session.speed:,.0f} tokens/s")
    shown = parts[0]
    for part in parts[1:]:
        if columns_of(shown) + columns_of(part) + 3 > columns:
            break
        shown += f" · {part}"
    return cut(shown, max(columns, 1))


def _writes_command() -> bool:
    return is_command(get_app().current_buffer.text)


class _Completer(Completer):
    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        asked = event.completion_requested
        for found in suggest(self._session, document.text_before_cursor, asked=asked):
            yield Completion(
                found.text,
                start_position=-found.replaces,
                display=one_line(found.text),
                display_meta=one_line(found.about),
            )


class _Ghost(AutoSuggest):
    """Grey text behind the cursor: an earlier command, or how the model would go on."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_suggestion(self, buffer: Buffer, document: Document) -> Ghost | None:
        text = document.text
        if not document.is_cursor_at_the_end or not text.strip():
            return None
        if is_command(text):
            for line in reversed(self._session.lines):
                if line.startswith(text) and "\n" not in line:
                    return Ghost(line[len(text) :])
            return None
        return Ghost(guess(self._session, text))


class _Colours(Lexer):
    """A command in colour, one that there is not in red."""

    def lex_document(self, document: Document) -> Any:
        lines = document.lines

        def line(number: int) -> StyleAndTextTuples:
            text = lines[number] if number < len(lines) else ""
            if number or not is_command(text):
                return [("", text)]
            name, blank, rest = text.partition(" ")
            known = any(one.startswith(name[1:]) for one in COMMANDS)
            return [("class:command" if known else "class:unknown", name), ("", blank + rest)]

        return line


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_open(buffer.text):
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-x", "c-e", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.open_in_editor()

    return keys


def _is_editing() -> bool:
    return get_app().current_buffer.name == "DEFAULT_BUFFER"
