"""``jcurve funnel``: answers of ``POST /api/funnel`` and of what stands below it, in the terminal and without a server.

Ends with 0 for an answer, 2 for a question that is wrong (each fault on a line), 1 for a name, an id or a size that there is
no answer for.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from api.clock import now
from api.commands import Refused, settings
from api.settings import Settings

if TYPE_CHECKING:
    from api.errors import Detail
    from api.serving import Asked, Serving
    from funnels.errors import Fault

_FORMS = "2026-01-31, or 2026-01-31T10:00:00Z"
_STATES: Final = ("reached", "dropped", "converted", "pending", "excluded", "lost")
_FILES: Final = (".toml", ".json")


@click.command()
@click.argument("source", metavar="FILE|NAME|-")
@click.option("--from", "from", metavar="DATE", help=f"First moment of entries: {_FORMS}.")
@click.option("--to", metavar="DATE", help="Their end, not included.")
@click.option("--last", metavar="DAYS", help="Entries of the last so many days, such as 90d, instead.")
@click.option("--by", metavar="PROPERTY", help="Also apart by a property, or by several with commas between them.")
@click.option("--window", metavar="SPAN", help="From the entry to the last step: 90s, 30m, 12h, 14d, 2w.")
@click.option("--unit", type=click.Choice(("person", "account", "session")), help="Who is counted.")
@click.option("--trend", type=click.Choice(("day", "week", "month")), help="Also each period as a funnel of its own.")
@click.option("--as-of", metavar="DATE", help="As known at this moment.")
@click.option(
    "--set", "more", multiple=True, metavar="KEY=VALUE", help="Any other key of the request; its value as in JSON."
)
@click.option("--list", "state", type=click.Choice(_STATES), help="Who stands there, instead.")
@click.option("--step", type=int, metavar="N", help="With --list reached or dropped: the step, from 1.")
@click.option("--limit", type=int, metavar="N", help="With --list and --drivers: at most so many.  [default: 50]")
@click.option("--explain", metavar="ID", help="Why one of them stands where it stands, instead.")
@click.option("--drivers", is_flag=True, help="What goes with converting, instead.")
@click.option("--json", "form", flag_value="json", help="The answer as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Its rows as CSV.")
@settings("lake_url", "store_url", "definitions", "query_memory", "query_threads")
def command(settings: Settings, /, source: str, form: str | None, **options: Any) -> None:
    """Answer a funnel: of a FILE that holds a request as POST /api/funnel takes it, in TOML or JSON (of standard input: -),
    or by its NAME, saved or of the definitions. In a file, last = "90d" stands for the last 90 days in place of from and to.
    """
    from api.formats import to_csv, to_json
    from api.funnel_page import page
    from api.funnel_rows_page import rows_page

    answer = _answer(settings, source, options)
    if form is not None:
        click.echo((to_json if form == "json" else to_csv)(answer).decode().rstrip("\n"))
    else:
        (page if "steps" in answer else rows_page)(answer)


def _answer(settings: Settings, source: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    from api.app import serving_of
    from api.commands.opened import store
    from api.errors import Problem
    from funnels.errors import BadRequest, NoSuchUnit, TooMuch
    from funnels.unknown import UnknownName

    with store(settings) as opened:
        opened.project(settings.project)
        serving = serving_of(settings, opened, lambda key: None)
        try:
            return _asked_for(serving, settings, source, options)
        except BadRequest as error:
            raise Refused(f"{source} cannot be answered", [_said(fault) for fault in error.faults]) from None
        except Problem as error:
            raise Refused(f"{source}: {error.detail}", [_said(fault) for fault in error.errors]) from None
        except UnknownName as error:
            raise click.ClickException(f"{error} A file's name ends with .toml or .json.") from None
        except NoSuchUnit as error:
            raise click.ClickException(str(error)) from None
        except TooMuch as error:
            raise click.ClickException("\n  ".join([str(error), *error.narrow])) from None


def _asked_for(serving: Serving, settings: Settings, source: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The funnel, or what of it is asked for instead."""
    from api.routes.drivers import answer as drivers_of
    from api.routes.funnels import by_name, over_events, page_of, unit_of
    from funnels.answers import Answers

    given = _given(options)
    asked, own = _asked(serving, settings, given), _instead(options)
    stages = source != "-" and not source.endswith(_FILES) and source not in _saved(serving, settings)
    if stages and own:
        raise Refused(f"{source} is no file and no saved funnel", ["lists, explanations and drivers are of these alone"])
    if stages:
        return by_name(serving, asked, source, Answers())
    body = {**_question(serving, settings, source, given), **own}
    if options["state"]:
        return page_of(serving, asked, body)
    if options["explain"]:
        return unit_of(serving, asked, body)
    if options["drivers"]:
        return drivers_of(serving, asked, body)
    return over_events(serving, asked, body, Answers())


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the flags say of the question itself."""
    flags = ("from", "to", "last", "by", "window", "unit", "trend", "as_of")
    given = {name: options[name] for name in flags if options[name] is not None}
    for text in options["more"]:
        name, sign, value = text.partition("=")
        if not sign:
            raise Refused(f"--set {text}", ["write KEY=VALUE, such as order=any or reentry=first"])
        given[name] = _value(value)
    return given


def _value(text: str) -> Any:
    """JSON where it is some; else the text as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _instead(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a list, an explanation or drivers, of which there can be one."""
    chosen = [name for name in ("state", "explain", "drivers") if options[name]]
    if len(chosen) > 1:
        raise Refused("one thing at a time", ["--list, --explain and --drivers do not go together"])
    limit = {} if options["limit"] is None else {"limit": options["limit"]}
    step = {} if options["step"] is None else {"step": options["step"]}
    if (step and chosen != ["state"]) or (limit and chosen not in (["state"], ["drivers"])):
        raise Refused("--step and --limit", ["--step goes with --list, --limit with --list and --drivers"])
    own = {
        "state": {"state": options["state"], **step, **limit},
        "explain": {"unit_id": options["explain"]},
        "drivers": {"drivers": limit},
    }
    return dict(own[chosen[0]]) if chosen else {}


def _asked(serving: Serving, settings: Settings, given: Mapping[str, Any]) -> Asked:
    from api.serving import Asked
    from ingest.keys import Key
    from transforms.manifest import current

    key = Key(project=settings.project, source="command line", kind="read")
    built = current(serving.lake, settings.project)
    return Asked(key, serving.projects(settings.project), given, now(), built)


def _saved(serving: Serving, settings: Settings) -> list[str]:
    """Those that no funnel of the definitions has taken the name of."""
    own = serving.definitions().funnels
    return [one.name for one in serving.saved.all(settings.project) if one.name not in own]


def _question(serving: Serving, settings: Settings, source: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request of a file or a saved one, with what the flags say anew."""
    from api.routes.funnels import anew
    from api.saved import with_range

    if source == "-" or source.endswith(_FILES):
        question = dict(_read(source))
        question.pop("title", None)
        last = question.pop("last", None)
    else:
        kept = serving.saved.get(settings.project, source)
        question, last = dict(kept.question), kept.last
    flags = dict(given)
    last = flags.pop("last", last)
    if "last" in given:
        question = {name: value for name, value in question.items() if name not in ("from", "to")}
    return {**with_range(question, last, now()), **anew(flags)}


def _read(source: str) -> Mapping[str, Any]:
    """The object in a file of TOML or JSON; standard input may be either."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{source} cannot be read: {error.strerror}", []) from None
    except UnicodeDecodeError as error:
        raise Refused(f"{source} is no {_form(source, '')}: {error}", []) from None
    form = _form(source, text)
    try:
        found = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except ValueError as error:  # of either
        raise Refused(f"{source} is no {form}: {error}", []) from None
    if not isinstance(found, dict):
        raise Refused(f"{source} holds no object", ["write an object with steps, from, to and window"])
    plain = _plain(found)
    return {name: value for name, value in plain.items() if value is not None}


def _form(source: str, text: str) -> str:
    return "JSON" if source.endswith(".json") or (source == "-" and text.lstrip().startswith("{")) else "TOML"


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
