"""The second yardstick: FastAPI routes with pydantic bodies that store nothing, as one would write a collector at first."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field


class Event(BaseModel):
    type: str
    message_id: str = Field(alias="messageId")
    timestamp: str
    user_id: str | None = Field(None, alias="userId")
    anonymous_id: str | None = Field(None, alias="anonymousId")
    event: str | None = None
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}


class Batch(BaseModel):
    batch: list[Event]
    sent_at: str = Field(alias="sentAt")


app = FastAPI()


@app.post("/v1/track")
async def track(body: Event) -> dict[str, bool]:
    return {"success": True}


@app.post("/v1/batch")
async def batch(body: Batch) -> dict[str, bool]:
    return {"success": True}
