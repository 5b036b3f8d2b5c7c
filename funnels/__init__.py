"""funnels: what is asked of the data, and how it is answered.

Owns
- definitions: ``definitions/*.toml`` (the defaults) -> ``written`` (tables with lines, faults) -> ``load``, ``resolve``,
  ``resolve_stages`` -> ``definition`` (resolved, with a version);
- models for the build, handed over by ``api``: ``stages`` (repaired as ``stage_repair`` says) and ``invites`` (repaired:
  ``invite_repair``), with their generations (``sql/models``), over the events that ``selections`` finds;
- a question: ``request`` (``reader``, ``filters``; ``combine``: what does not go together) -> ``ask``; ``restate``: back;
- funnels: ``ask`` -> ``streams`` (events: ``stream_sql``, ``session_units``, ``codes``) or ``stage_streams`` (the table
  ``stages``) -> ``match`` (its words: ``rules``; its arrays: ``cases``; its compiled loops: ``kernel``) or ``presets`` ->
  ``result``; doors are ``adhoc`` and ``plg``; ``bounds``: what one question may take;
- who stands behind a number (``listing``), and why one unit stands where it does (``explain``, over its ``story``): read and
  matched by the same code as the number;
- reading events: ``direct`` (straight from the files: ``scan`` -> ``who``, ``accounts`` (``words``) -> ``gather``), for whom
  ``serving`` says what a name may serve under which conditions, ``truths`` which events satisfy them, ``facts`` whose an
  event is and (by ``subjects`` and ``histories``) what is known of them now and then; ``tags``: what rows carry on the way;
  ``neighbours``: what they are among their unit's; ``people`` keeps who is who; ``stream_sql``: a query for what is left;
- ``parts`` matches people after people; ``valued`` then reads the values of witnesses (``places``: rows by number;
  ``json_spans``), and ``ties`` settles those at one instant; ``answers`` are kept;
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
- Events are read without a query. Context: a join by actor and a sort of all events took most of a question's time, and
  joins to traits twenty times that of the plain question. Choice: ``scan`` picks row groups by their statistics, ``who``
  gives each actor a number from a hash in memory, ``gather`` appends rows to partitions of units and orders each of these
  within the cache. Traits and cohorts are looked up by the person's or account's number, each table read once; conditions of
  events are told once of each different value. Price: what asks for one unit, for event ids, for bots or for a time column,
  or names sessions is still a query; so are first-ever steps of sessions. Tried: sorting each person's rows by insertion or
  merging took three times as long as counting them by two digits of their time first; fields of tuples named in the loop
  itself, instead of once before it, made that loop twice as slow.
- Values after matching. Context: a breakdown by a property read every event's JSON, 24 times the plain question's time.
  Choice: exclusions, and the number of the row among all that are read, lie in the bits that a row's unit leaves; after
  matching only the row groups of witnesses are read for values, and their codes kept, up to 64 MB. Price: beyond 2 thousand
  million rows, or where steps and exclusions leave too few bits (of 10 million people and 100 million rows: more than 12 of
  them), such a question is a query; what all rows must tell (values held constant, ``all``) is read of all rows.
- Neighbours that serve nothing. Context: sessions and order strict depend on events of any name. Choice: all of them are
  gathered, and dropped once they have told what they were for. Price: four times the plain question's time, where the query
  took forty.
- As many questions read at a time as there are threads. Context: ten at once took more processor time than ten after another
  (caches, the GIL), and ten times the memory. Choice: the others wait in ``bounds.in_turn``. Price: who asks little waits
  for those before.
- People after people. Context: a third of 100 million events do not fit a question's memory together with their order.
  Choice: each thread orders and matches so few rows at a time that they lie in the cache, and only the witnesses' events
  are kept; where not even the rows fit, the files are read again for the next people. Price: who asks for the streams
  themselves (lists, explanations) gets them whole, or ``TooLarge``.
- Decoded columns are kept. Context: of a question over few events, a third of the time went into opening and decoding its
  row groups, the same each time. Choice: 64 MB of them, told apart by file and row group, which never change; only what was
  not asked for in a long while makes room, since larger questions would otherwise push all out in turn. Price: that memory,
  and a first question that is slower. Tried: a table of actors that needs fewer misses of the cache, the rows of a person
  sorted by one digit of their time; neither was worth its lines.
- A kept answer holds for a minute while its windows are open. Context: the completeness mark moves all the time. Choice: the
  answer says the moment it is of; closed windows are told with the newest. Price: a minute's lag, if nothing new came.
- Sessions are found anew per question. Context: events and merges since the last build have no row in ``sessions``. Choice:
  the rule of that table runs over the events that are read; a stretch of time holds the same sessions whatever came before.
  Price: a pass over events of any name; lists and first-ever steps, which need a session's beginning, are a query over all
  history.
- A list's cursor holds versions, not rows. Context: pages must fit together while events, merges and builds come in. Choice:
  it names the versions of events, ledger and build, the moment, and a digest of the question. Price: each page matches
  again.
- 422 for a question that takes too much memory, 503 for one that takes too long, as Prometheus has it: the first will never
  work as it is asked, the second may at a quieter time. Both say what to narrow. Price: the matcher's loop itself, some
  seconds at most, is not interrupted.
- Rounds for stages. Context: a stage may lean on another one (``after``, ``members``), SQL windows cannot recurse portably.
  Choice: the same three SQL files run once per round, the rows of earlier rounds bound as ``settled``. Price: each round
  reads the relation of matching events again (three rounds for the defaults).
- What is repaired follows cause and time. Context: whoever is active today would have all stages made again. Choice: a
  subject is stale only where a stage that reads the moved event is open at its time; who entered before cannot have entered
  differently, nor can who is past the time within which a stage is entered, or an account with too few people around that
  time (a day of 10 M events: 510 subjects for 3,550). Price: a stage that can be left is open for ever.
- Invitations are repaired along the people they brought. Context: who is credited, and each generation, depends on others'
  invitations; to make all took 7 processor seconds of 1.2 million. Choice: from the invitations that moved to their people,
  and on to whoever came by these (``invite_repair``). Price: a moved inviter of thousands makes thousands again.
- Internal traffic comes back only where events are read. Context: stages and invitations are built without it. Choice: their
  answers refuse ``internal=include`` and say so. Price: no second build that has both.
- A leaving cuts time. Context: leaving and entering again, each with counts and windows of its own, is a walk that SQL
  windows cannot make. Choice: every moment of ``left_by`` starts a new stretch, in or out of the stage, and nothing is
  counted across it (at one instant leaving comes first). Price: a leaving before the entry, too, sets the counts to zero.
- Two loops for chains. Context: queues under every rule cost several times what plain questions need, and most are plain.
  Choice: both stand, behind one door, held to one oracle. Price: a change of what plain chains are is made twice.
- Traits at the time of the event are read from the calls themselves (``traits_then``). Context: a merge changes who was
  described, for all history, before the next build. Choice: per trait asked for, its calls at the newest identity, looked up
  by time (``histories``; an as-of join where there is a query). Price: each such trait reads the identify (group) events
  once more; definitions, built over events alone, cannot ask.
- The vocabulary is binding. Context: a slip in an event's name gives a chart of zeros. Choice: definitions may name only
  events of the vocabulary (``$identify`` and the like aside). Price: an own event is described before it is used.
- Drivers are compared at a landmark. Context: who converts at once has no time for another event, who takes long has time
  for all, so "did X before converting" finds time itself. Choice: X within a first period, and only who had not converted by
  then. Price: conversions within the period say nothing of events. ``drivers`` tells more.
- Breakdowns by ``all`` match lanes. Context: a unit counts for each value that a whole chain carries, excluded events count
  whatever their value. Choice: the matcher once more, over each unit's events of one value with all its excluded events.
  Price: a second matching, and excluded events repeated for each value of their unit.
- One row per invitation and invitee. Context: share links bring several people by one id. Choice: ``scope`` marks the one
  row that is credited for a new person, so K is a count of marked rows. Price: an invitation's id is no key by itself.
- The interval of K is that of a mean of counts by the central limit. Context: an inviter brings more than one, so K is no
  proportion and Wilson's does not fit. Choice: mean +- 1.96 s / sqrt(n), cut off at 0. Price: rough below some 30 inviters.
"""
