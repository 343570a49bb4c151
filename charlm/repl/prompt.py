"""The prompt of a terminal: keys, completion, ghost text, history, toolbar."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.application.current import get_app
from prompt_toolkit.auto_suggest import AutoSuggest, ThreadedAutoSuggest
from prompt_toolkit.auto_suggest import Suggestion as Ghost
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    ThreadedCompleter,
    get_common_complete_suffix,
)
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
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

from charlm.render.console import one_line, talk, wants_color
from charlm.render.tables import columns_of, cut
from charlm.repl.commands import COMMANDS
from charlm.repl.history import open_history
from charlm.repl.parsing import is_open
from charlm.repl.session import Session
from charlm.repl.settings import ReplConfig, history_path
from charlm.repl.suggest import asks_model, guess, is_command, suggest
from charlm.repl.trainings import running_training, training_line

MENU_ROWS = 8
FEW_ROWS = 8  # of so many the toolbar takes one
TOOLBAR_SECONDS = 0.5  # between two looks at a training
STYLES = {
    "prompt": "bold",
    "command": "ansicyan bold",
    "unknown": "ansired",
    "auto-suggestion": "ansibrightblack",
    "bottom-toolbar": "noreverse ansibrightblack",
}
# Without colours, too, what is not yet written must not look as if it were.
PLAIN_STYLES = {**STYLES, "auto-suggestion": "dim italic", "bottom-toolbar": "noreverse dim"}


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
            style=Style.from_dict(STYLES if wants_color(sys.stdout) else PLAIN_STYLES),
            lexer=_Colours(),
            history=open_history(history_path()) if keep_history else InMemoryHistory(),
            completer=ThreadedCompleter(_Completer(session)),
            complete_while_typing=Condition(_writes_command),
            auto_suggest=ThreadedAutoSuggest(_Ghost(session)) if settings.ghost else None,
            editing_mode=EditingMode.VI if settings.keys == "vi" else EditingMode.EMACS,
            enable_open_in_editor=True,
            enable_suspend=True,
            cursor=ModalCursorShapeConfig() if settings.keys == "vi" else None,
            tempfile_suffix=".txt",
            mouse_support=settings.mouse,
            multiline=True,  # Enter is bound below; so a pasted text keeps its lines
            prompt_continuation=_continuation,
            key_bindings=_keys(_Completer(session)),
            input=input,
            output=output,
        )
        self._prompts.state = lambda columns, rows: toolbar(session, columns, rows)
        self._session = session
        self._drawn = 0.0
        session.notices.changed = self._heed
        session.draft = ""
        self._hinted = False

    def read(self) -> str:
        """Return the next line; Ctrl-D on an empty one raises EOFError."""
        draft, self._session.draft = self._session.draft or "", ""
        try:
            with self._session.interrupts.in_loop(self._leave):
                # Ctrl-C is a key here. One that comes as a signal, too early, is none.
                text: str = self._prompts.prompt(
                    handle_sigint=False, pre_run=self._begin, default=draft
                )
        except KeyboardInterrupt:
            if not self._prompts.default_buffer.text and not self._hinted:
                self._hinted = True
                talk("Ctrl-D or /quit leaves")
            raise
        return text

    def _begin(self) -> None:
        if self._session.interrupts.status:  # it came before there was a loop to leave
            self._leave()

    def _leave(self) -> None:
        """Have the prompt end; called in a signal handler."""
        app = self._prompts.app
        if app.loop is not None:
            with contextlib.suppress(RuntimeError):
                app.loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        app = self._prompts.app
        if app.is_running and not app.is_done:
            app.exit(exception=EOFError)

    def _heed(self) -> None:
        """Have news shown by a prompt that is open; called in any thread."""
        app = self._prompts.app
        now = time.monotonic()
        calm = running_training(self._session) is not None and not self._session.notices
        if calm and now - self._drawn < TOOLBAR_SECONDS:
            return
        self._drawn = now
        # One that closes just now shows nothing; what is to be told waits for the next.
        if app.is_running and app.loop is not None:
            with contextlib.suppress(RuntimeError):
                app.loop.call_soon_threadsafe(self._show, context=app.context)

    def _tell(self) -> None:
        vars(self._prompts.app.input).pop("cooked_mode", None)
        self._session.notices.show()

    def _show(self) -> None:
        app, notices = self._prompts.app, self._session.notices
        if not app.is_running:
            return
        if notices:
            # Keys that come meanwhile are for the prompt, not for the terminal's line editing.
            app.input.cooked_mode = contextlib.nullcontext  # type: ignore[method-assign]
            run_in_terminal(self._tell)
        else:
            app.invalidate()


def _continuation(_: int, __: int, wraps: int) -> StyleAndTextTuples:
    """Return what stands before a line but the first; nothing, where it only goes on."""
    return [("class:prompt", "  " if wraps else "… ")]


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
        size = self.app.output.get_size()
        return [("", self.state(size.columns, size.rows))]

    @bottom_toolbar.setter
    def bottom_toolbar(self, value: object) -> None:
        """It follows from the session."""

    def _rows(self) -> int:
        return self.app.output.get_size().rows


def toolbar(session: Session, columns: int, rows: int = 24) -> str:
    """Return the state of a session in a line, as much of it as fits; a training has its own."""
    config = session.config
    seed = "random" if session.seed is None else str(session.seed)
    if config.seed is not None:
        seed += " (set)"
    parts = [
        one_line(session.model_name),
        f"temperature {config.temperature:g}",
        *([f"top-k {config.top_k}"] if config.top_k else []),
        f"top-p {config.top_p:g}",
        *([f"min-p {config.min_p:g}"] if config.min_p else []),
        f"seed {seed}",
    ]
    if session.speed is not None:
        parts.append(f"{session.speed:,.0f} tokens/s")
    if not session.lines:
        parts.append("/help tells what there is")
    shown = parts[0]
    for part in parts[1:]:
        if columns_of(shown) + columns_of(part) + 3 > columns:
            break
        shown += f" · {part}"
    lines = [cut(shown, max(columns, 1))]
    training = running_training(session)
    if training is not None:
        line = training_line(training, columns)
        lines = [line] if rows < FEW_ROWS else [*lines, line]
    return "\n".join(lines)


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
            for line in (self._session.offer, *reversed(buffer.history.get_strings())):
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


def _keys(completer: Completer) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            _end_word(buffer)  # it takes what was chosen, and the line goes on
        elif is_open(buffer.text):
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("tab", filter=Condition(_in_command))
    def _(event: KeyPressEvent) -> None:
        # At once: where keys come fast, the completer of what was typed before would win.
        _complete_now(event.current_buffer, completer)

    @keys.add("escape", "enter", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-x", "c-e", filter=Condition(_is_editing))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.open_in_editor()

    return keys


def _complete_now(buffer: Buffer, completer: Completer) -> None:
    """Write as much of a word as is settled, and offer what it may be."""
    asked = CompleteEvent(completion_requested=True)
    found = list(completer.get_completions(buffer.document, asked))
    if len(found) == 1:
        buffer.apply_completion(found[0])
        _end_word(buffer)
    elif buffer.complete_state:
        buffer.complete_next()
    elif found:
        common = get_common_complete_suffix(buffer.document, found)
        if common:
            buffer.insert_text(common)
            found = list(completer.get_completions(buffer.document, asked))
        buffer.complete_state = CompletionState(buffer.document, found)


def _end_word(buffer: Buffer) -> None:
    """Close the menu, and part a word from the next, where there may be one."""
    buffer.complete_state = None
    text = buffer.document.text_before_cursor
    name = text[1:].split(" ")[0]
    if is_command(text) and not text.endswith(os.sep) and name in COMMANDS and COMMANDS[name].usage:
        buffer.insert_text(" ")


def _in_command() -> bool:
    """Return whether to complete a command line: none of the menu chosen, no model to be asked."""
    buffer = get_app().current_buffer
    chosen = buffer.complete_state and buffer.complete_state.current_completion
    text = buffer.document.text_before_cursor
    return is_command(text) and not chosen and not asks_model(text)


def _is_editing() -> bool:
    return get_app().current_buffer.name == "DEFAULT_BUFFER"
