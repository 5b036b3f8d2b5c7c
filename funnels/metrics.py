"""The metric catalogue, and the one shape in which every metric answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from zoneinfo import ZoneInfo

from funnels import north_star, virality
from funnels.definitions.definition import Definitions
from funnels.figures import Measured
from funnels.periods import Grain
from funnels.question import MetricQuestion, read_metric_question
from funnels.times import iso
from funnels.unknown import UnknownName
from ingest.lake import Lake
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.manifest import Manifest

Settings = Mapping[str, object]


@dataclass(frozen=True)
class Metric:
    """One question and how it is answered. ``grains`` may depend on the definitions; the first is the default."""

    name: str
    question: str
    unit: Literal["ratio", "count"]
    direction: Literal["up", "down"]  # which way is better
    owner: str  # the team that answers for it
    sql: str  # its file in sql/metrics
    reads: tuple[str, ...]  # tables of the lake
    grains: Callable[[Definitions], tuple[Grain, ...]]
    settings: Callable[[Definitions], Settings]
    measure: Callable[[Engine, Definitions, MetricQuestion], Measured]

    @property
    def built(self) -> bool:
        """Whether it reads what a build made of the stages, rather than events."""
        return "stages" in self.reads

    def as_json(self, definitions: Definitions) -> dict[str, object]:
        """Its entry in the list of metrics."""
        return {
            "name": self.name,
            "question": self.question,
            "unit": self.unit,
            "grain": list(self.grains(definitions)),
            "by": ["channel"],
            "direction": self.direction,
            "owner": self.owner,
            "sql": f"sql/metrics/{self.sql}.sql",
            "settings": dict(self.settings(definitions)),
        }


CATALOGUE: Final[tuple[Metric, ...]] = (
    Metric(
        name="viral-coefficient",
        question="How many new users does a new user bring?",
        unit="ratio",
        direction="up",
        owner="growth",
        sql="viral_coefficient",
        reads=("stages", "people", "invites", "internal_actors"),
        grains=lambda definitions: ("week", "day", "month"),
        settings=virality.settings,
        measure=virality.measure,
    ),
    Metric(
        name="north-star",
        question="How many got, in a period, what the product is for?",
        unit="count",
        direction="up",
        owner="product",
        sql="north_star",
        reads=("events", "actors", "sole_memberships", "people", "accounts", "internal_actors"),
        grains=lambda definitions: (definitions.north_star.per,),
        settings=north_star.settings,
        measure=north_star.measure,
    ),
)


def find(name: str) -> Metric:
    """Raises ``UnknownName``."""
    for metric in CATALOGUE:
        if metric.name == name:
            return metric
    raise UnknownName("metric", name, [metric.name for metric in CATALOGUE])


def answer(
    lake: Lake,
    project: str,
    definitions: Definitions,
    name: str,
    params: Mapping[str, str],
    manifest: Manifest,
    zone: str,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, object]:
    """The answer to ``?from&to&grain&by&compare`` at one manifest; ``zone`` is the project's, an IANA name.

    Raises ``UnknownName`` for the metric, ``BadRequest`` for the parameters.
    """
    metric = find(name)
    grains = metric.grains(definitions)
    question = read_metric_question(
        params, grains, grains[0], ZoneInfo(zone), manifest.complete_until, built_without_internal=metric.built
    )
    versions = {table: manifest.tables.get(table) for table in metric.reads}
    with Engine(lake, project, versions, limits) as engine:
        measured = metric.measure(engine, definitions, question)
    return _shape(metric, definitions, measured, manifest)


def _shape(metric: Metric, definitions: Definitions, measured: Measured, manifest: Manifest) -> dict[str, object]:
    complete_until = iso(manifest.complete_until)
    return {
        "metric": metric.name,
        "question": metric.question,
        "unit": metric.unit,
        "direction": metric.direction,
        **measured.as_json(),
        "target": None,
        "status": None,
        "settings": dict(metric.settings(definitions)),
        "definition_version": manifest.definition_version if metric.built else definitions.version,
        "as_of": complete_until,
        "data": {
            "manifest": manifest.number,
            "complete_until": complete_until,
            "internal_left_out": measured.internal_left_out,
        },
    }
