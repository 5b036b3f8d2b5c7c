"""The columns of every table a build makes, once: for the models that fill them and for whoever reads them.

A column that may be empty is nullable here; the others a build refuses to leave empty. All times are UTC microseconds.
People are named twice: ``person_id`` (the 64-bit actor id of the public id, for joins) and ``person`` (the public id itself,
``user:42`` or ``anonymous:7f3a``, the smallest typed id the person has).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import pyarrow as pa

from ingest.event import EVENTS, REJECTED

TableName = Literal[
    "actors",
    "memberships",
    "sole_memberships",
    "people",
    "accounts",
    "stages",
    "invites",
    "sessions",
    "person_days",
    "account_days",
    "runaway_ids",
    "internal_actors",
    "seen_ids",
    "activity",
    "account_people",
]

_TIME: Final = pa.timestamp("us", tz="UTC")


def _must(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


ID_LINKS: Final = pa.schema(  # the ledger, appended to only: see ledger.py
    [
        _must("entry", pa.string()),  # a link's name is the event_id of the event that made it, an undo's is minted
        _must("kind", pa.string()),  # 'link' or 'undo'
        _must("id", pa.string()),  # the link: this id ...
        _must("owner", pa.string()),  # ... belongs to this user; an undo repeats both
        _must("actor_id", pa.int64()),  # of id
        _must("owner_actor_id", pa.int64()),
        _must("time", _TIME),  # of the event; of an undo when it was made
        _must("known_at", _TIME),  # when the event was received; of an undo when it was made
        pa.field("undoes_kind", pa.string()),  # of an undo: 'link' or 'undo'
        pa.field("undoes", pa.string()),  # and the entry's name
        pa.field("made_by", pa.string()),  # and who made it
        pa.field("why", pa.string()),
    ]
)

ACTORS: Final = pa.schema(
    [
        _must("actor_id", pa.int64()),  # as events carry it
        _must("id", pa.string()),  # the typed id it is the hash of: 'user:42', 'anonymous:7f3a'
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        pa.field("linked_by", pa.string()),  # the event that linked this id to another one
        pa.field("linked_at", _TIME),
        _must("first_seen", _TIME),
    ]
)

MEMBERSHIPS: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("account_id", pa.string()),
        _must("since", _TIME),  # the spell's first group call for the account, or first call with an address of its domain
        pa.field("until", _TIME),  # when the person left; empty while it lasts
        _must("linked_by", pa.string()),  # that call's event_id
        _must("ordinal", pa.int32()),  # 1 = the person's first account
    ]
)

SOLE_MEMBERSHIPS: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("account_id", pa.string()),
        _must("since", _TIME),
        pa.field("until", _TIME),  # the first moment that counts no more
    ]
)

PEOPLE: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("first_seen", _TIME),
        _must("last_seen", _TIME),
        _must("events", pa.int64()),
        pa.field("email", pa.string()),
        pa.field("name", pa.string()),
        _must("channel", pa.string()),  # first touch, see sql/models/people.sql
        pa.field("account_id", pa.string()),  # the first membership
        _must("traits", pa.string()),  # JSON object: per key the latest identify value
    ]
)

ACCOUNTS: Final = pa.schema(
    [
        _must("account_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("parent", pa.string()),  # account_id of the account above: the trait parent_id, else parent
        _must("first_seen", _TIME),
        _must("last_seen", _TIME),
        _must("members", pa.int64()),
        pa.field("channel", pa.string()),  # of its first member; empty while it has none
        _must("traits", pa.string()),  # JSON object: per key the latest group value
    ]
)

SESSIONS: Final = pa.schema(
    [
        _must("session_id", pa.string()),  # the event_id of its first event
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("source", pa.string()),
        _must("bot", pa.bool_()),  # a bot's events make sessions of their own
        _must("started", _TIME),
        _must("ended", _TIME),  # its last event; equal to started where there is one only
        _must("events", pa.int64()),
        _must("pages", pa.int64()),  # pages and screens among them
        pa.field("entry_page", pa.string()),  # path of its first page, or name of its first screen
        _must("channel", pa.string()),  # of its first event
    ]
)

PERSON_DAYS: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("day", pa.date32()),  # of the project's reporting zone
        _must("events", pa.int64()),  # this and the following add up over days and people
        _must("tracks", pa.int64()),
        _must("pages", pa.int64()),
        _must("bots", pa.int64()),  # events of bots, among events
        _must("sessions", pa.int64()),  # that started on this day; bots' left out
    ]
)

ACCOUNT_DAYS: Final = pa.schema(
    [
        _must("account_id", pa.string()),
        _must("day", pa.date32()),  # of the project's reporting zone
        _must("events", pa.int64()),  # this and the following add up over days and accounts
        _must("tracks", pa.int64()),
        _must("pages", pa.int64()),
        _must("bots", pa.int64()),
        _must("people", pa.int64()),  # distinct, bots left out: adds up neither over days nor over accounts
    ]
)

STAGES: Final = pa.schema(
    [
        _must("subject", pa.string()),  # 'person' or 'account'
        _must("subject_id", pa.string()),  # people.person or accounts.account_id
        _must("stage", pa.string()),
        _must("spell", pa.int32()),
        _must("entered", _TIME),
        pa.field("left", _TIME),
        _must("event_id", pa.string()),  # the event by which it was entered
        _must("definition_version", pa.string()),
    ]
)

INVITES: Final = pa.schema(
    [
        _must("invite_id", pa.string()),
        _must("inviter", pa.string()),  # people.person
        pa.field("inviter_account", pa.string()),
        pa.field("layer", pa.string()),
        _must("sent_at", _TIME),
        pa.field("invitee_email", pa.string()),
        pa.field("accepted_at", _TIME),
        pa.field("invitee", pa.string()),  # people.person
        pa.field("invitee_registered_at", _TIME),
        pa.field("scope", pa.string()),  # 'same_account' or 'new_account'
        pa.field("generation", pa.int32()),  # of the invitee: how many credited invitations led to them, one after the other
    ]
)

RUNAWAY_IDS: Final = pa.schema(
    [
        _must("id", pa.string()),
        _must("others", pa.int64()),  # how many other ids its links name
    ]
)

INTERNAL_ACTORS: Final = pa.schema(
    [
        _must("actor_id", pa.int64()),
        _must("id", pa.string()),
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        _must("rule", pa.string()),  # 'id' or 'domain'
    ]
)

SEEN_IDS: Final = pa.schema(
    [
        _must("actor_id", pa.int64()),
        _must("id", pa.string()),
        _must("first_seen", _TIME),  # of its events; a link's time does not count
    ]
)

ACTIVITY: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("person", pa.string()),
        pa.field("account_id", pa.string()),  # the events' own, else of the sole membership at that time, else empty
        _must("day", pa.date32()),  # of the project's reporting zone
        _must("events", pa.int64()),  # this and the following add up over days, accounts and people
        _must("tracks", pa.int64()),
        _must("pages", pa.int64()),
        _must("bots", pa.int64()),
        _must("first_seen", _TIME),  # of these events, as
        _must("last_seen", _TIME),
    ]
)

ACCOUNT_PEOPLE: Final = pa.schema(
    [
        _must("person_id", pa.int64()),
        _must("account_id", pa.string()),
        _must("first_seen", _TIME),  # of what activity counts there
        _must("last_seen", _TIME),
    ]
)

TABLES: Final[dict[str, pa.Schema]] = dict(
    zip(
        get_args(TableName),
        (
            *(ACTORS, MEMBERSHIPS, SOLE_MEMBERSHIPS, PEOPLE, ACCOUNTS, STAGES, INVITES, SESSIONS, PERSON_DAYS, ACCOUNT_DAYS),
            *(RUNAWAY_IDS, INTERNAL_ACTORS, SEEN_IDS, ACTIVITY, ACCOUNT_PEOPLE),
        ),
        strict=True,
    )
)

FORGOTTEN: Final = pa.schema(
    [
        _must("receipt", pa.string()),  # a keyed hash of the person's ids, see ingest/tombstones.py
        _must("asked_at", _TIME),
        _must("removed_at", _TIME),  # from here on no answer knows the person
        _must("erased_at", _TIME),  # from here on no file does
        _must("why", pa.string()),
        _must("by", pa.string()),  # 'command line' or 'api'
        _must("ids", pa.int64()),  # how many ids the person had
        _must("events", pa.int64()),  # rows removed
        _must("rejected", pa.int64()),
        _must("ledgers", pa.int64()),
        _must("changed", pa.int64()),  # other people's events that lost a name
        _must("files_removed", pa.int64()),
        _must("files_scanned", pa.int64()),
        _must("bytes_scanned", pa.int64()),
        _must("traces", pa.int64()),  # files in which the scan still found an id: 0, or the receipt proves nothing
    ]
)

CHANGES: Final = pa.schema(  # past numbers that builds moved, appended to: see changes.py
    [
        _must("manifest", pa.int64()),  # the build's
        _must("built_at", _TIME),
        _must("number", pa.string()),  # its name: 'events', 'entered activated (person)'
        _must("day", pa.date32()),  # of the project's reporting zone
        _must("before", pa.int64()),
        _must("after", pa.int64()),
        _must("late_events", pa.int64()),  # that came for this day
        _must("removed_events", pa.int64()),  # by retention, or with a person who was forgotten
        _must("regrouped_people", pa.int64()),  # whose ids were joined or parted, with a row on this day
        _must("anew", pa.bool_()),  # the whole table was made anew: another zone, an upgrade
        _must("definition_before", pa.string()),  # the same as after where the number does not depend on definitions
        _must("definition_after", pa.string()),
        pa.field("merges", pa.int64()),  # links that came in force, or again, of people with a row on this day
        pa.field("undos", pa.int64()),  # links that were undone, likewise; both null in rows of older builds
    ]
)

SCHEMAS: Final[dict[str, pa.Schema]] = {
    "events": EVENTS,
    "rejected": REJECTED,
    "id_links": ID_LINKS,
    "forgotten": FORGOTTEN,
    "changes": CHANGES,
    **TABLES,
}  # whatever an engine may open
