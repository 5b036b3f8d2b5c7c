"""A make-believe PLG company that knows the answers it planted.

What is here, in reading order
- ``shape``   what a company is: people, accounts, and what happened to them (plain values)
- ``words``   names, channels, devices: the texts a call is dressed in
- ``people``  who signs up when, from where, into which account, invited by whom
- ``life``    what each of them does afterwards, a tuple of small parts
- ``growth``  the parts that bring people and money: sales, subscriptions, invitations
- ``plan``    the whole company from a ``Size`` and a last day
- ``truth``   the answers under the default definitions, by bookkeeping over the plan
- ``calls``   one happening as a Segment call
- ``chaos``   the calls as batches, the way devices deliver them: twice, late, out of order, with wrong clocks

Invariants
- The same size, seed and last day give the same company, call for call.
- ``truth`` uses nothing of the engine: no lake, no SQL, no matcher. Whoever changes the meaning of a default definition has
  to change it in both places, and that is the point.
- Nothing here reads a clock: a batch is stamped by whoever sends it (``Batch.body``).

Decisions
- Times in the truth are the ones a collector can know. A device whose clock is off by seven minutes and twenty seconds is
  corrected by five minutes (``ingest.times``), so its events stand two minutes and twenty seconds off; the plan keeps that
  rest below a minute and the truth counts with it. Price: the truth is about what can be seen, not about what happened.
"""

from ingest.demo.chaos import Batch, Delivery, deliver
from ingest.demo.plan import plan
from ingest.demo.shape import Company, Size
from ingest.demo.truth import Truth, truth

__all__ = ["Batch", "Company", "Delivery", "Size", "Truth", "deliver", "plan", "truth"]
