"""``jcurve funnel``: the answer of ``POST /api/funnel`` in the terminal, whether or not a server runs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.clock import now
from api.commands import Refused, settings
from api.settings import Settings

if TYPE_CHECKING:
    from api.errors import Detail
    from api.serving import Asked, Serving
    from funnels.errors import Fault

_FORMS = "2026-01-31, or 2026-01-31T10:00:00Z"


@click.command()
@click.argument("source", metavar="FILE.toml|NAME")
@click.option("--from", "start", metavar="DATE", help=f"First moment of entries: {_FORMS}.")
@click.option("--to", "end", metavar="DATE", help="Their end, not included.")
@click.option("--by", metavar="PROPERTY", help="Also apart by a property, or by several with commas between them.")
@click.option("--json", "form", flag_value="json", help="The answer as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Its rows as CSV.")
@settings("lake_url", "store_url", "definitions", "query_memory", "query_threads")
def command(settings: Settings, source: str, start: str | None, end: str | None, by: str | None, form: str | None) -> None:
    """Answer a funnel: of FILE.toml, which holds a request as POST /api/funnel takes it, or by its NAME, saved or of the
    definitions. In a file, last = "90d" stands for the last 90 days in place of from and to.
    """
    from api.formats import to_csv, to_json
    from api.funnel_page import page

    given = {name: text for name, text in (("from", start), ("to", end), ("by", by)) if text is not None}
    answer = _answer(settings, source, given)
    if form is not None:
        click.echo((to_json if form == "json" else to_csv)(answer).decode().rstrip("\n"))
    else:
        page(answer)


def _answer(settings: Settings, source: str, given: Mapping[str, str]) -> Mapping[str, Any]:
    from api.app import serving_of
    from api.commands.opened import store
    from api.errors import Problem
    from api.routes.funnels import by_name, over_events
    from funnels.answers import Answers
    from funnels.errors import BadRequest
    from funnels.unknown import UnknownName

    with store(settings) as opened:
        opened.project(settings.project)
        serving = serving_of(settings, opened, lambda key: None)
        asked = _asked(serving, settings, given)
        try:
            if source.endswith(".toml"):
                return over_events(serving, asked, _question(Path(source), given), Answers())
            return by_name(serving, asked, source, Answers())
        except BadRequest as error:
            raise Refused(f"{source} cannot be answered", [_said(fault) for fault in error.faults]) from None
        except Problem as error:
            raise Refused(f"{source}: {error.detail}", [_said(fault) for fault in error.errors]) from None
        except UnknownName as error:
            raise click.ClickException(f"{error} A file's name ends with .toml.") from None


def _asked(serving: Serving, settings: Settings, given: Mapping[str, str]) -> Asked:
    from api.serving import Asked
    from ingest.keys import Key
    from transforms.manifest import current

    key = Key(project=settings.project, source="command line", kind="read")
    built = current(serving.lake, settings.project)
    return Asked(key, serving.projects(settings.project), given, now(), built)


def _question(file: Path, given: Mapping[str, str]) -> Mapping[str, Any]:
    """The file's request with what the flags say anew."""
    from api.routes.funnels import anew
    from api.saved import with_range

    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}", []) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file} is no TOML: {error}", []) from None
    found.pop("title", None)
    question = _plain(found)
    return {**with_range(question, question.pop("last", None), now()), **anew(given)}


def _plain(value: Any) -> Any:
    """TOML's own dates as the text that a request has."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def _said(fault: Fault | Detail) -> str:
    """A fault as a line: where, what is wrong, what was found, what is allowed."""
    values = fault.allowed if isinstance(fault.allowed, list | tuple) else [fault.allowed]
    allowed = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in values)
    found = json.dumps(fault.found, default=str, ensure_ascii=False)
    return f"{fault.path}: {fault.message}; found {found}" + (f", allowed: {allowed}" if allowed else "")
