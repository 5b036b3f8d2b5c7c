"""Sources, which until now were but the names on their keys; and the end that a key may have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    made = op.create_table(
        "sources",
        sa.Column("project", sa.String(63), sa.ForeignKey("projects.name"), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
    )
    op.add_column("keys", sa.Column("until", sa.DateTime()))
    keys = sa.table("keys", *map(sa.column, ("project", "source", "kind", "created")))
    known = (
        sa.select(keys.c.project, keys.c.source, sa.true(), sa.literal("{}"), sa.func.min(keys.c.created))
        .where(keys.c.kind == "write")
        .group_by(keys.c.project, keys.c.source)
    )
    op.execute(sa.insert(made).from_select(["project", "name", "enabled", "policy", "created"], known))
