"""Pictures of a session: a real one in a pseudo-terminal, its screen written as SVG.

    python benchmarks/pictures.py docs

Needs pyte, a terminal emulator, and a text for the training that the picture shows.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import re
import tempfile
from pathlib import Path

from driving import Driven
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS = 92
NAMES = {"brown": "yellow", "brightbrown": "bright_yellow"}
THEME = TerminalTheme(
    (24, 26, 31),
    (208, 212, 220),
    [
        (36, 39, 46),
        (224, 108, 117),
        (152, 195, 121),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (208, 212, 220),
    ],
    [
        (112, 118, 130),
        (240, 130, 138),
        (172, 215, 141),
        (245, 212, 143),
        (127, 195, 255),
        (218, 150, 241),
        (116, 212, 224),
        (255, 255, 255),
    ],
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        folders = {"XDG_CONFIG_HOME": f"{home}/config", "XDG_STATE_HOME": f"{home}/state"}
        os.environ.update(folders, CHARLM_HOME=home, COLORTERM="truecolor")
        session(folder / "session.svg")
        completion(folder / "completion.svg")


def session(path: Path) -> None:
    """Write, colour, train: all on one screen."""
    with start(26) as one:
        line(one, "/seed 5", "every text")
        line(one, "/set max_new_tokens 150", "150")
        line(one, "/train python --max-time 60s -o mine", "beside")
        line(one, "Shall I compare thee to", "2004h")
        line(one, "/set temperature 0.5", "0.5")
        line(one, "/heatmap Thou art a villain, and a xylophone", "bits")
        line(one, "/score Thou art a fool | Thou are a fool", "are a fool")
        one.until(rb"valid \d", seconds=120)
        one.type("My lord, the ki")
        one.pause(3)
        picture(one, path, "charlm repl")
        one.type("\x03/stop\r/stop\r")
        one.pause(1)
        one.leave()


def completion(path: Path) -> None:
    """The model ends a half word, and the menu of what can be set."""
    with start(13) as one:
        line(one, "/seed 3", "every text")
        one.type("O my sweet br\t")
        one.pause(1)
        picture(one, path, "Tab: how the model would end a word")
        one.type("\x03")
        one.leave()


def start(rows: int) -> Driven:
    """Return a session at its prompt."""
    one = Driven("repl", "-m", "shakespeare", rows=rows, columns=COLUMNS, screen=True)
    one.until(rb"2004h")
    one.pause(0.5)
    return one


def line(one: Driven, text: str, answer: str) -> None:
    """Type a line and wait for its answer and the next prompt."""
    one.type(text + "\r")
    one.until(re.escape(answer).encode() + rb"(?s:.*)2004h|2004l(?s:.*)2004h")
    one.pause(0.2)


def picture(one: Driven, path: Path, title: str) -> None:
    """Write the screen as SVG, without the fonts that Rich would fetch from elsewhere."""
    screen = one.screen
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for row in range(screen.lines):
        cells = [(screen.buffer[row][column], column) for column in range(screen.columns)]
        place = screen.cursor.x if row == screen.cursor.y else -1
        looks = [
            (style_of(cell, reverse=cell.reverse != (column == place)), cell.data)
            for cell, column in cells
        ]
        text = Text(no_wrap=True)
        for style, group in itertools.groupby(looks, key=lambda look: look[0]):
            text.append("".join(data for _, data in group), style)
        if not any(style.bgcolor for style, _ in looks):
            text.rstrip()
        console.print(text)
    svg = console.export_svg(title=title, theme=THEME, unique_id=path.stem)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    lines = [one.strip() for one in svg.replace("&#160;", "\xa0").splitlines()]
    path.write_text("\n".join(one for one in lines if one) + "\n", encoding="utf-8")


def style_of(cell, *, reverse: bool) -> Style:
    """Return a cell's looks as Rich says them."""
    return Style(
        color=color_of(cell.fg),
        bgcolor=color_of(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=reverse,
    )


def color_of(name: str) -> str | None:
    """Return Rich's name of a colour of pyte's; None for the terminal's own."""
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    name = NAMES.get(name, name)
    return re.sub(r"^bright(?=[a-z])", "bright_", name)


if __name__ == "__main__":
    main()
