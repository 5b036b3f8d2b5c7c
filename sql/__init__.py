"""SQL: every table, question and check of the product as one readable file each, and the loader that hands them out.

Owns the text (and, in ``spark.py``, how Spark says it) and nothing else: no connection, no engine. ``transforms`` runs the
models and checks, ``funnels`` the metrics.

On disk
    models/*.sql    tables: the rows of one lake table (or of one relation between two models)
    metrics/*.sql   questions: what an answer is shaped from
    checks/*.sql    rules: queries that must return no rows
Each opens with plain comment lines, so that it pastes into the DuckDB shell as it is:
    -- one row per person
    -- grain: person_id
    -- kind: whole
    -- reads: events, actors

``kind`` says how a stored table is kept, and by which of its columns it is repaired: ``whole``; ``by_subject person_id``:
all rows of a key are made again together; ``by_day person_id started``: the rows of a key within a stretch of that column.
``relation``: bound for the models after it, never stored.

Invariants
    ``reads`` is what the query reads: the loader parses the query and refuses a file whose head says otherwise.
    Values come only as ``$name`` parameters; nothing is ever formatted into the text.
    The text stays in the subset that DuckDB and Spark share: ``spark.py`` turns it into Spark's, and tests run every file on
    both (a function that no file called before is compared there first).

Imports nothing of ours; may be imported by ``transforms``, ``funnels`` and ``api``.

Decisions
    No template language. Context: shared conditions and lists of events differ between deployments. Choice: they come as
    parameters and as relations bound by name before the query runs. Price: a caller must bind what a file reads.
    ``reads`` is written and checked rather than derived. Context: a reader wants to know a file's inputs without parsing it.
    Choice: the head says it, sqlglot holds it true. Price: one line to keep, some milliseconds per file when it is loaded.
"""
