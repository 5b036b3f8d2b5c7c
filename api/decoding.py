"""What the flush decodes with, and a rehearsal of a replay: the limits of the settings, and the tracking plan."""

from __future__ import annotations

from functools import partial

from api.settings import Settings
from ingest.batch import Decoder
from ingest.limits import USUAL, Limits
from ingest.plan import CurrentPlan
from ingest.protocols import decode


def decoder_of(settings: Settings, plan: CurrentPlan) -> Decoder:
    given = Limits(settings.max_properties, settings.max_depth, settings.max_name)
    limits = USUAL if given == USUAL else given  # what is usual costs nothing
    return plan.checked(partial(decode, max_event_bytes=int(settings.max_event), limits=limits))
