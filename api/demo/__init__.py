"""``jcurve demo``: a make-believe company sent through the front door, its answers beside the planted truth.

In reading order: ``folder`` (a data folder of its own), ``show`` (``run``: everything from start to end), ``send`` (the
history over HTTP), ``compare`` (what the query API answers, beside ``ingest.demo.truth``), ``page`` (what one sees of it).
"""
