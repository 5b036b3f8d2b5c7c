"""``jcurve``: the command line. Each command is a file of ``api/commands`` that is imported when it is asked for."""

from __future__ import annotations

import importlib
import keyword
from typing import NoReturn

import click

from api.ending import at_once

COMMANDS = {
    "up": "Serve everything on one port: collector, builds, query API, dashboard.",
    "demo": "Show a make-believe company's funnel, sent through the front door.",
    "build": "Bring people, accounts, stages and invites up to date now.",
    "import": "Bring history from files into the lake: Segment calls, tables, exports of other tools.",
    "rejected": "List, count, write out and replay events that were rejected.",
    "tidy": "Gather small files into large sorted ones now.",
    "forget": "Forget a person: events, tables, rejected ones and old versions, with a receipt.",
    "sources": "Make, list, set up and switch off what sends, and rotate its keys.",
    "keys": "Create, list and revoke the keys of a project.",
    "projects": "Create, list and set up projects.",
    "identity": "Tell which links make a person, undo one, or undo its undo.",
    "funnel": "Answer a funnel of a file, of the definitions, or saved.",
    "changes": "Tell which numbers of past days moved, and why.",
    "status": "Tell what came in, what was rejected, and how fresh the tables are.",
    "collect": "Run the collector alone: HTTP, the log and its flush.",
    "work": "Run the scheduled builds alone.",
    "serve": "Run the query API and the dashboard alone.",
}


class _Commands(click.Group):
    """Commands by name, in the order of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"api.commands.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="jcurve", prog_name="jcurve")
def main() -> None:
    """jcurve: from an SDK's call to a registration -> activation -> PQL -> paid funnel."""


def run() -> NoReturn:
    """``jcurve`` as a process."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        at_once(end.code or 0)
    at_once(0)


if __name__ == "__main__":
    run()
