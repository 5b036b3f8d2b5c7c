"""Benchmarks: ``python -m tests.bench`` (``make bench``); ``--quick`` in a minute, ``--write`` puts the table in the README.

Each file measures one thing and gives ``Figure`` rows: ``door`` (HTTP, with its two yardsticks in ``doors`` and its senders
in ``load``), ``flush``, ``answers`` (build and funnels), ``history`` (bulk import), ``memory``. What takes longer has a
command of its own: ``lake`` (builds and repairs over a ``year``), ``commits``, ``identity``, ``funnel`` (beside
``clickhouse``). pytest runs them in small.
"""
