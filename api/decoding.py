"""What the flush decodes with, and a rehearsal of a replay: the limits of the settings, and the tracking plan."""

from __future__ import annotations

from functools import partial

from api.settings import Settings
from ingest.batch import Decoder
from ingest.plan import CurrentPlan
from ingest.protocols import decode


def decoder_of(settings: Settings, plan: CurrentPlan) -> Decoder:
    return plan.checked(partial(decode, max_event_bytes=int(settings.max_event)))
