"""The store's schema, a step a file in ``versions/`` (Alembic); ``upgrade`` brings any older store to the newest.

SQLite and PostgreSQL run the same steps. A step is never changed after its release: a new one follows it.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(engine: sa.Engine) -> None:
    """Run the steps that this store has not had; safe to call at every start."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
