"""definitions: what a stage, a funnel, the north star, an account, a cohort and internal traffic are, in TOML.

``*.toml`` here are the defaults; a deployment's own stand in its ``DIR/definitions``.

    TOML -> written (tables with their lines: toml_lines) -> resolve, resolve_stages -> definition (with a version)

``load`` is the door. All faults are told at once, each with its file and line, what was found and what is allowed.

Decisions
- The vocabulary is binding. Context: a slip in an event's name gives a chart of zeros. Choice: definitions may name only
  events of the vocabulary (``$identify`` and the like aside). Price: an own event is described before it is used.
"""
