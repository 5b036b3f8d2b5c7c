"""The store's schema, a step a file in ``versions/`` (Alembic); ``upgrade`` brings any older store to the newest.

SQLite and PostgreSQL run the same steps. A step is never changed after its release: a new one follows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_TURN: Final = 0x6A637572  # a number of our own among the database's advisory locks


def upgrade(engine: sa.Engine) -> None:
    """Run the steps that this store has not had; safe to call at every start."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # hosts that start at the same moment take their turn
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
