"""One happening as the Segment call that a browser's SDK would make of it.

A call carries the sender's own time: the device's clock, right or wrong. It is said to be sent by the same clock, so that
the collector can find out by how much it is wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from ingest.demo import words
from ingest.demo.shape import HOUR, Company, Happening, Person

Call = dict[str, object]  # the JSON object of one call

LIBRARY: Final = {"name": "analytics.js", "version": "next-1.84.3"}
RENAMED_AFTER: Final = 20 * HOUR  # when the older user id of a renamed person ends


def call(company: Company, happening: Happening, ordinal: int) -> Call:
    """The JSON object of one call. The same ordinal always gives the same ``messageId``."""
    person = company.people[happening.person]
    told: Call = {
        "type": happening.kind,
        "messageId": f"demo-{company.size.seed}-{ordinal:08x}",
        "timestamp": iso(happening.time + person.clock),
        "anonymousId": device_id(person, happening.device),
        "context": _context(person, happening),
    }
    if happening.known:
        told["userId"] = _user_id(person, happening.time)
    return told | _particulars(company, person, happening)


def iso(time: int) -> str:
    """``2026-02-20T09:59:56.123Z`` of milliseconds since the epoch."""
    return datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"


def device_id(person: Person, device: int) -> str:
    return f"{person.index * 2654435761 % 2**32:08x}-{person.index:06d}-{device}"


def _particulars(company: Company, person: Person, happening: Happening) -> Call:
    """What only calls of this kind carry."""
    match happening.kind:
        case "track":
            return {"event": happening.name, "properties": dict(happening.properties)}
        case "page":
            return {"name": happening.name, "properties": {"title": happening.name, "path": _path(happening)}}
        case "identify":
            return {"traits": dict(happening.properties)}
        case "group":
            account = company.accounts[happening.account or 0]
            return {"groupId": account.account_id, "traits": {"name": account.name}}
        case _:
            return {"previousId": _old_user_id(person)}


def _context(person: Person, happening: Happening) -> Call:
    landing = _landing(person, happening)
    path = _path(happening)
    context: Call = {
        "library": LIBRARY,
        "userAgent": words.USER_AGENTS[3 if happening.device else person.index % 3],
        "locale": words.LOCALES[person.index % len(words.LOCALES)],
        "page": {"path": path, "url": _host(happening) + path, "referrer": landing.referrer, "title": happening.name},
    }
    if landing.campaign:
        context["campaign"] = dict(landing.campaign)
    if happening.account is not None and happening.kind == "track":
        context["groupId"] = f"acct_{happening.account:05d}"
    return context


def _landing(person: Person, happening: Happening) -> words.Landing:
    """How the first page of a visit was reached; later pages were reached from our own."""
    if happening.touch is None:
        return words.Landing(words.SITE + "/" if happening.kind == "page" else "")
    choices = words.CHANNELS[happening.touch]
    return choices[person.index % len(choices)]


def _host(happening: Happening) -> str:
    return words.APP if happening.known else words.SITE


def _path(happening: Happening) -> str:
    return "/" + happening.name.lower().replace(" ", "-") if happening.kind == "page" else "/app"


def _user_id(person: Person, time: int) -> str:
    began = person.renamed and person.registered is not None and time < person.registered + RENAMED_AFTER
    return _old_user_id(person) if began else person.user_id


def _old_user_id(person: Person) -> str:
    return f"trial-{person.index:06d}"
