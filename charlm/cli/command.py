"""Click's commands, with what all of ours share: `-v`, `--debug`, help with examples, late imports.

A command is a function under `@click.command(cls=Command, examples=...)` in a file of its own;
`root.py` names it, and its module is imported when it is called and not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from charlm.render.console import out

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Examples = Sequence[tuple[str, str]]
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 92}


class Page(click.Command):
    """A command with the options that stand anywhere, and examples at the end of its help.

    Args:
        examples: command lines, each with what it does.
    """

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", SETTINGS)
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params += [_verbose(), _debug()]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return Click's help option, writing where all results go."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
            option.help = "show this help"
        return option

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error always knows its command, which Click's parser at times forgets."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, which no terminal is too narrow to copy, and then the epilog."""
        if self.examples:
            with formatter.section("Examples"):
                for line, what in self.examples:
                    formatter.write(f"  $ {line}\n      {what}\n")
        super().format_epilog(ctx, formatter)


class Command(Page):
    """A command that does something."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; of a group's default the other commands too, as it hides them."""
        super().format_options(ctx, formatter)
        if ctx.parent is None or not isinstance(ctx.parent.command, Group):
            return
        group, path = ctx.parent.command, ctx.parent.command_path
        others = [one for name, one in group.commands.items() if name != self.name]
        if group.default == self.name and others:
            with formatter.section("Other commands"):
                formatter.write_dl([(f"{path} {one.name}", one.short_help or "") for one in others])


class Group(Page, click.Group):
    """Commands under one name.

    Args:
        default: the command that is meant where none is named. Then the group's `--help` is its.
    """

    def __init__(self, *args: Any, default: str = "", **kwargs: Any) -> None:
        super().__init__(*args, no_args_is_help=False, **kwargs)
        self.default = default

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the tree, not of the alphabet."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, where the default may be left out; to the program nothing means `--help`."""
        if self.default and (args[0] not in self.commands if args else not ctx.resilient_parsing):
            args = [self.default, *args]
        elif ctx.parent is None and not args and not ctx.resilient_parsing:
            args = ["--help"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, where `help COMMAND` means `COMMAND --help`."""
        if ctx.parent is None and args[0] == "help":
            args = [*args[1:], "--help"]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer the commands and, where one may be left out, what it takes."""
        found = super().shell_complete(ctx, incomplete)
        if not self.default:
            return found
        below = self.commands[self.default].make_context(
            self.default, [], parent=ctx, resilient_parsing=True
        )
        with below:
            if incomplete.startswith("-"):
                return below.command.shell_complete(below, incomplete)
            takes = [one for one in below.command.params if isinstance(one, click.Argument)]
            more = takes[0].shell_complete(below, incomplete) if takes else []
        # "Whatever files there are" would take the place of what was found.
        return found + [item for item in more if not found or item.type == "plain"]


class Late(click.Command):
    """Stands for a command in the list of its group, and imports it when it is called."""

    def __init__(self, name: str, target: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._target = target

    def load(self) -> click.Command:
        """Return the command itself, from `module:name` within this package."""
        module, _, name = self._target.partition(":")
        command: click.Command = getattr(importlib.import_module(f"charlm.cli.{module}"), name)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Return the context of the command itself, in which Click then runs it."""
        return self.load().make_context(*args, **kwargs)


def _show_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        out(ctx.get_help())
        ctx.exit()


def _verbose() -> click.Option:
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_set_up_logging,
        help="tell more on stderr; twice for debugging",
    )


def _debug() -> click.Option:
    # Read from argv by app.run: it must also hold where the rest of the line cannot be parsed.
    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, help="show the traceback of an error"
    )


def _set_up_logging(ctx: click.Context, _: click.Parameter, times: int) -> None:
    total = ctx.meta["charlm.verbose"] = ctx.meta.get("charlm.verbose", 0) + times
    if not times or ctx.resilient_parsing:
        return
    import logging
    import sys

    logging.basicConfig(format="charlm: %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(logging.INFO if total == 1 else logging.DEBUG)
