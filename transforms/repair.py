"""One model at a time, brought up to date: its stale keys, what they need, the rows made of it, the draft that takes them.

What a text reads is found by its name: ``narrow.<name>`` hides ``base.<name>``, so the very text that makes a table whole
makes its stale rows. Relations between models are made along with whoever reads them, from what that one is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final
from urllib.parse import unquote

from sql.loader import Query
from transforms import checks
from transforms.draft import Draft
from transforms.engine import Engine
from transforms.errors import ModelFailed
from transforms.fill import Filling
from transforms.model import Model, Prepare
from transforms.stale import Step
from transforms.tables import TABLES

_PARAMETER: Final = re.compile(r"\$([a-z_][a-z_0-9]*)")
_NARROW: Final = re.compile(r"narrow[.]([a-z_]+)")  # what a text of narrow reads of the others
_LISTED: Final = re.compile(r"\{([a-z_]+) of ([a-z_.]+)\}")
_PART: Final = """
select events.*, actors.person_id, actors.person
from {relation} events join base.actors on actors.actor_id = events.actor_id
"""
# A lost event of an actor who has none left was that of whoever the actor was.
_NEWS: Final = """
select event_id, kind, event, time, moved_events.actor_id, account_id, bot, properties, came,
    coalesce(actors.person_id, went_actors.person_id) as person_id, coalesce(actors.person, went_actors.person) as person
from base.moved_events
left join base.actors on actors.actor_id = moved_events.actor_id
left join went_actors on went_actors.actor_id = moved_events.actor_id
"""
_MOST_KEPT: Final = 1_000_000  # events that moved, which are kept beside the files that they came with

_REJOINED: Final = """ -- whose ids changed hands, on either side, and since when
with hands as (
    select went.person_id as left_one, came.person_id as joined_one, least(went.first_seen, came.first_seen) as since
    from went_actors went join came_actors came on came.actor_id = went.actor_id
    where went.person_id <> came.person_id or went.person <> came.person
)
select person_id, min(since) as since
from (select left_one as person_id, since from hands union all select joined_one, since from hands)
group by person_id
"""


class Repair:
    """The models of one build, its engine, and the drafts of the stored tables by name."""

    def __init__(self, engine: Engine, models: Sequence[Model], drafts: Mapping[str, Draft]) -> None:
        self.models = models
        self._engine, self._drafts = engine, drafts
        self._relations = {model.query.name: model for model in models if model.query.kind == "relation"}
        self._bound: set[str] = set()  # relations that were made of all rows
        self._prepared: set[Prepare] = set()
        self._left = [model for model in models if model.query.kind != "relation"]  # stored models that are to be made
        for name, schema in TABLES.items():  # nothing changed yet
            engine.bind(f"changed_{name}", schema.empty_table())
            for side in ("went", "came"):
                engine.view(f"base.{side}_{name}", f"from base.changed_{name}")

    def bind_moved(self) -> None:
        """Makes ``moved`` and ``rejoined``, once who is who is known."""
        count = self._engine.table("select count(*) as n from base.moved_events")["n"][0].as_py()
        if count <= _MOST_KEPT:  # a day came with 144 files, and ten models look at what moved
            self._engine.make("moved", _NEWS)
        else:
            self._engine.view("moved", _NEWS)
        self._engine.make("rejoined", _REJOINED)

    def bind_part(self, relation: str) -> None:
        """Makes ``part_events`` of some events, with the persons they belong to."""
        self._engine.view("part_events", _PART.format(relation=relation))

    def make(self, model: Model, step: Step) -> None:
        """Brings one stored model up to date; its draft has the rows, and ``changed_<name>`` tells which differ.

        Raises ``ModelFailed``.
        """
        self._left = [other for other in self._left if other is not model]
        if step != "keep":
            self._make_as(model, step)
        self._let_go()

    def _make_as(self, model: Model, step: Step) -> None:
        name, key = model.query.name, _key(model.query)
        with self._making(model):
            if step == "repair" and model.stale is not None and not self._find_stale(model, model.stale):
                return
            if step == "whole" or model.stale is None or model.query.kind == "whole":
                self._make_all(model)
                self._drafts[name].repair(f"base.{name}", "made")
            else:
                self._make_stale(model)
                self._engine.make("old", self._stored(model.query))  # it is read twice, and many files are opened for it
                # What is made of narrow relations can tell half the truth of subjects around.
                self._engine.view("new", "from made" if model.query.moment else f"from made semi join stale using ({key})")
                self._drafts[name].repair("old", "new")

    def fill(self, model: Model, month: str) -> None:
        """Brings what ``part_events``, a month's, make of a model by day into its draft, as ``make`` does; but looks for no
        equal rows: few were there."""
        draft = self._drafts[model.query.name]
        with self._making(model):
            if model.stale is None or not isinstance(draft, Filling):
                raise ValueError("a model by day says which of its days are stale, and begins without a row")
            self._find_stale(model, model.filling.get("stale", model.stale))
            filling = {name: text for name, text in model.filling.items() if name != "stale"}
            self._bind_needed(model, filling | {name: text for name, text in model.narrow.items() if name not in filling})
            self._engine.view("old", self._stored(model.query))
            draft.fill("old", model.query.text, model.params, month, lambda: self._drop(model))

    def finish(self, model: Model, before: Mapping[str, int]) -> None:
        """Ends the filling of a model by day, and tells that all rows of its table went and came."""
        self._left = [other for other in self._left if other is not model]
        name = model.query.name
        draft = self._drafts[name]
        if isinstance(draft, Filling):
            draft.finish()
        if name in before:
            files = self._engine.lake.files(self._engine.project, name, before[name])
            self._engine.read(f"before_{name}", name, [unquote(file) for file in files])
        else:
            self._engine.bind(f"before_{name}", TABLES[name].empty_table())
        self._engine.view(f"went_{name}", f"from base.before_{name}")
        self._engine.view(f"came_{name}", f"from base.{name}")
        self._engine.view(f"changed_{name}", f"from base.before_{name} union all from base.{name}")

    def _let_go(self) -> None:
        """Forgets relations of all rows that no model and no check reads any more: they would fill memory, then the disk."""
        wanted = {relation.query.name for model in self._left for relation in self._needed(model)} | checks.reads()
        for name in self._bound - wanted:
            self._engine.drop(f"base.{name}")
        self._bound &= wanted

    @contextmanager
    def _making(self, model: Model) -> Iterator[None]:
        """Whatever fails in it is the model's fault, and what it made for itself goes."""
        try:
            yield
        except ModelFailed:
            raise
        except Exception as error:
            raise ModelFailed(model.query.name, error) from error
        finally:
            self._drop(model)

    def _stored(self, query: Query) -> str:
        """The stored rows of the stale keys."""
        table, key = f"base.{query.name}", _key(query)
        if query.moment is None:
            return f"select * from {table} semi join stale using ({key})"
        edges = self._edges()
        if edges["least"] is None:
            return f"select * from {table} limit 0"
        least, greatest = (_literal(edges[name]) for name in ("least", "greatest"))
        # First by the key alone: that reads the few leaves that hold it; times between others are looked at row by row.
        return (
            f"with near as materialized (select * from {table} semi join stale using ({key}) "
            f'where "{query.moment}" between {least} and {greatest}) '
            f"select * from near where exists (select 1 from stale where stale.{key} = near.{key} "
            f'and near."{query.moment}" between stale.since and stale.until)'
        )

    def _edges(self) -> dict[str, date | None]:
        """The least and the greatest time or day of all that is stale."""
        return dict(self._engine.table("select min(since) as least, max(until) as greatest from stale").to_pylist()[0])

    def _find_stale(self, model: Model, text: str) -> int:
        if model.prepare is not None and model.prepare not in self._prepared:
            model.prepare(self._engine)
            self._prepared.add(model.prepare)
        return self._engine.make("stale", text, self._params(model, text))

    def _make_all(self, model: Model) -> None:
        for relation in self._needed(model):
            if relation.query.name not in self._bound:
                self._make(relation, f"base.{relation.query.name}")
                self._bound.add(relation.query.name)
        self._make(model, "made")

    def _make_stale(self, model: Model) -> None:
        self._bind_needed(model, model.narrow)
        self._make(model, "made")

    def _bind_needed(self, model: Model, narrow: Mapping[str, str]) -> None:
        needed = self._needed(model)
        reads = {name for one in (model, *needed) for name in one.query.reads}
        reads.update(_NARROW.findall(" ".join(narrow.values())))
        for name, text in narrow.items():
            if name in reads:
                if text.startswith("from "):
                    self._engine.view(f"narrow.{name}", text)
                else:
                    told = _LISTED.sub(lambda found: self._engine.listed(found[1], found[2]), text)
                    self._engine.make(f"narrow.{name}", told, self._params(model, told))
        for relation in needed:
            if relation.query.name not in narrow:
                self._make(relation, f"narrow.{relation.query.name}")

    def _drop(self, model: Model) -> None:
        for name in ("new", "old", "made", "stale"):
            self._engine.drop(name)
        for relation in (*model.narrow, *model.filling, *(one.query.name for one in self._needed(model))):
            self._engine.drop(f"narrow.{relation}")

    def _make(self, model: Model, name: str) -> None:
        for input_name, rows in (model.inputs(self._engine) if model.inputs else {}).items():
            self._engine.bind(input_name, rows)
        self._engine.make(name, model.query.text, model.params)

    def _needed(self, model: Model) -> list[Model]:
        """The relations that a model reads, and those that they read, in the order of the models."""
        names: set[str] = set()
        waiting = list(model.query.reads)
        while waiting:
            name = waiting.pop()
            if name in self._relations and name not in names:
                names.add(name)
                waiting.extend(self._relations[name].query.reads)
        return [relation for name, relation in self._relations.items() if name in names]

    def _params(self, model: Model, text: str) -> dict[str, object]:
        """Of the parameters of a model and its relations those that a text names."""
        params = {key: value for one in (*self._needed(model), model) for key, value in one.params.items()}
        if "$least" in text:
            params |= self._edges()
        return {name: params[name] for name in _PARAMETER.findall(text) if name in params}


def _key(query: Query) -> str:
    return f'"{query.subject or query.grain[0]}"'


def _literal(moment: date | None) -> str:
    assert moment is not None
    return f"{'timestamptz' if isinstance(moment, datetime) else 'date'} '{moment.isoformat()}'"
