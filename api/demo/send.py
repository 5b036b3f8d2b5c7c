"""The company's history through the collector, over several connections, the way SDKs send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from ingest.demo import Batch

CONNECTIONS: Final = 6
_ATTEMPTS: Final = 20


class NotTaken(Exception):
    """The collector refused a batch, or cannot be reached."""


def send(address: str, write_key: str, batches: tuple[Batch, ...], sent: Callable[[int], None]) -> None:
    """Send everything; ``sent`` is told the number of calls of each batch that was acknowledged. Raises ``NotTaken``."""
    asyncio.run(_send(address, write_key, iter(batches), sent))


async def _send(address: str, write_key: str, batches: Iterator[Batch], sent: Callable[[int], None]) -> None:
    async with httpx.AsyncClient(base_url=address, auth=(write_key, ""), timeout=30, trust_env=False) as client:

        async def connection() -> None:
            for batch in batches:  # one iterator for all: who is free takes the next
                await _deliver(client, batch)
                sent(len(batch))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONNECTIONS):
                    group.create_task(connection())
        except* NotTaken as faults:
            raise faults.exceptions[0] from None


async def _deliver(client: httpx.AsyncClient, batch: Batch) -> None:
    """Until it is acknowledged: 503 is tried again, with the sending time of the new attempt."""
    for _ in range(_ATTEMPTS):
        try:
            answer = await client.post("/v1/batch", content=batch.body(time.time_ns() // 1_000_000))
        except httpx.TransportError as fault:
            raise NotTaken(f"the collector cannot be reached: {fault or type(fault).__name__}") from None
        if answer.status_code == 200:
            return
        if answer.status_code != 503:
            raise NotTaken(f"the collector answered {answer.status_code}: {answer.text[:300]}")
        await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
    raise NotTaken(f"the collector answered 503 {_ATTEMPTS} times: {answer.text[:300]}")
