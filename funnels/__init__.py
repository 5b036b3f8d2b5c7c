"""funnels: what is asked of the data, and how it is answered.

Owns
- definitions, in a package of their own: ``definitions`` (the defaults as TOML beside what reads them);
- models for the build, handed over by ``api``: ``models``;
- a question: ``request`` (``reader``, ``filters``; ``combine``: what does not go together) -> ``ask``; ``restate``: back;
- funnels: ``ask`` -> ``reading.streams`` (events) or ``stage_streams`` (the table ``stages``) -> ``match`` (its words:
  ``rules``; its arrays: ``cases``; its compiled loops: ``kernel``) or ``presets`` -> ``result``; doors are ``adhoc`` and
  ``plg``; ``bounds``: what one question may take; ``answers`` are kept;
- who stands behind a number (``listing``), and why one unit stands where it does (``explain``, over its ``story``): read and
  matched by the same code as the number;
- a process that answers: ``warm`` (what its first question would wait for), ``memory`` (what it keeps);
- what an answer holds: ``steps``, ``survival`` (Kaplan-Meier), ``groups`` (breakdowns, ``lanes``), figures of ``stats``;
- ``cohorts`` (written in definitions or a request) -> ``cohort_sql`` (their members);
- ``driver_question`` -> ``drivers`` (``driver_sql``): what goes with converting, over the same streams and matcher;
- metrics: ``metrics`` (the catalogue, one answer shape), one file per question (``virality``, ``north_star``) over
  ``sql/metrics``; ``question`` reads what is asked, ``figures`` holds what was found.

On disk: nothing of its own. It reads a deployment's ``DIR/definitions/*.toml`` and the lake at the versions of one manifest.

Invariants
- One matcher: every funnel number comes from ``match.match_streams``, whose page is the written definition;
  ``tests/oracle.py`` says what it must be, also where a question is plain enough for a faster loop.
  Under a preset it comes from that product's rules, and says so.
- A stage is a condition; entering it is an event of its subject. No stage presupposes another unless its definition says so.
- All faults of a definition or a question are told at once, with what was found and what is allowed.
- A figure without a base is null with a reason, never 0. Time is an argument: ``as_of`` is the manifest's completeness mark.
- An answer names the manifest and the definition it was made from.

May import ``sql``, ``ingest.event``, ``ingest.lake`` and ``transforms``. Imported by ``api`` and nobody else.

Decisions
- A kept answer holds for a minute while its windows are open. Context: the completeness mark moves all the time. Choice: the
  answer says the moment it is of; closed windows are told with the newest. Price: a minute's lag, if nothing new came.
- A list's cursor holds versions, not rows. Context: pages must fit together while events, merges and builds come in. Choice:
  it names the versions of events, ledger and build, the moment, and a digest of the question. Price: each page matches
  again.
- 422 for a question that takes too much memory, 503 for one that takes too long, as Prometheus has it: the first will never
  work as it is asked, the second may at a quieter time. Both say what to narrow. Price: the matcher's loop itself, some
  seconds at most, is not interrupted.
- Internal traffic comes back only where events are read. Context: stages and invitations are built without it. Choice: their
  answers refuse ``internal=include`` and say so. Price: no second build that has both.
- Two loops for chains. Context: queues under every rule cost several times what plain questions need, and most are plain.
  Choice: both stand, behind one door, held to one oracle. Price: a change of what plain chains are is made twice.
- Drivers are compared at a landmark. Context: who converts at once has no time for another event, who takes long has time
  for all, so "did X before converting" finds time itself. Choice: X within a first period, and only who had not converted by
  then. Price: conversions within the period say nothing of events. ``drivers`` tells more.
- Breakdowns by ``all`` match lanes. Context: a unit counts for each value that a whole chain carries, excluded events count
  whatever their value. Choice: the matcher once more, over each unit's events of one value with all its excluded events.
  Price: a second matching, and excluded events repeated for each value of their unit.
- The interval of K is that of a mean of counts by the central limit. Context: an inviter brings more than one, so K is no
  proportion and Wilson's does not fit. Choice: mean +- 1.96 s / sqrt(n), cut off at 0. Price: rough below some 30 inviters.
"""
