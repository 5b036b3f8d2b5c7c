"""Transforms: from the events of the lake to tables one can ask, and the schedule that keeps them fresh.

Owns the tables of ``tables.py`` (who fills each: ``sql/models``), the manifest, and the record of runs.

    lake/<project>/<table>/              a Delta table per model, replaced as a whole when its rows changed
    lake/<project>/_manifest/NNNNNNNN.json and current
                                         which versions belong together; answers read the tables at one manifest
    work.sqlite                          runs (what, when, from and to which versions, rows, seconds, error) and leases

The way of a build (``build.py``): open the events at their newest version (``engine.py``, DuckDB), work out who is who
(``identity.py``), run the models in order, run every check (``checks.py``), store what changed, publish (``manifest.py``).
``schedule.py`` says when, ``runs.py`` remembers, ``retention.py`` takes out what is too old, ``sweep.py`` removes files;
``overlay.py`` gives who is who between builds.

Forgetting a person (``forget.py``, ``rewrite.py``) takes rows out of files that are there, and ``traces.py`` proves it.

Invariants
    A fault anywhere (a model, a check, the store) leaves the last good tables in force; nothing half built is ever read.
    Building twice changes nothing: no table gets a new version where its rows are the same.
    Rows depend on the set of events alone, never on the order they came in: every first and latest is by (time, event_id).
    Models come from above as arguments: this package knows the core four and runs whatever it is handed.

Imports ``sql``, ``ingest.event`` and ``ingest.lake``; may be imported by ``funnels`` and ``api``.

Decisions
    Connected people by arrays, not by recursive SQL. Context: a write key is public, and a recursive query costs the square
    of a component. Choice: ``identity.py`` joins and jumps over the few ids that aliases name (10 M links: a star 0.7 s, a
    chain 6.8 s). Price: one Python step between two SQL files.
    Only ids that act or are linked get a row in ``actors``. Context: a device seen only beside a user id, not identified,
    did nothing of its own. Choice: it is nobody. Price: looking it up finds no one until an identify names it.
    Tables are replaced as a whole. Context: their models read all events. Choice: compare and skip, else replace. Price: a
    build costs what is old as well as what is new (1 M events: 0.8 s).
    Times leave DuckDB as Arrow only. Context: its Python rows need a time zone package. Price: none, Arrow is what we store.
"""
