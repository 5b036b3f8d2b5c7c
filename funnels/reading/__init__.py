"""reading: the events of a question, from the lake's files into streams of units, which the matcher takes.

    streams.read_streams    the one door: a question in, its units' events out
      direct          straight from the files, for nearly every question
        serving       which conditions an event must satisfy to serve, per name of an event
        scan          row groups that can hold one, by their statistics; their columns, decoded once and kept
        truths        which rows satisfy the conditions, told once of each different value
        facts         whose an event is, and what is known of them: who, accounts, words, subjects, histories
        tags          what a row carries on the way: steps, exclusions, values, its number
        owners        whose the rows of a row group are, kept
        gather        rows into partitions of units, each ordered within the cache; neighbours: events of any name
        parts         units after units, matched as they are read, where not all of them fit
        valued, ties  after matching: values of witnesses only (places, json_spans), and what event ids decide
      stream_sql      a query, for what is left (session_units, codes, traits_then)
      one_unit        the few events that it reads for an explanation

``people`` keeps who is who between questions; ``texts``: strings in one block of bytes.

Invariants
- Both ways give the same streams (``tests/funnels/reading/test_ways.py``); which is taken never shows in an answer.
- Memory is bounded whatever the number of people (``funnels.bounds``).

Used by the doors in ``funnels``; uses its words for questions (``ask``, ``filters``) and cases (``match``, ``groups``).

Decisions
- Events are read without a query. Context: a join by actor and a sort of all events took most of a question's time, and
  joins to traits twenty times that of the plain question. Choice: ``scan`` picks row groups by their statistics, ``who``
  gives each actor a number from a hash in memory, ``gather`` appends rows to partitions of units and orders each of these
  within the cache. Traits and cohorts are looked up by the person's or account's number, each table read once; conditions of
  events are told once of each different value. Price: what asks for one unit, for bots or for a time column is still a
  query; so are first-ever steps of sessions. Tried: fields of tuples named in a loop itself, instead of once before it, made
  that loop twice as slow.
- A row to be ordered is one word. Context: rows of two words, counted out by two digits of their time and then by unit, took
  a fifth of a question's time and most of its memory. Choice: unit, time and mask in one word, sorted by numpy's vector
  instructions, in half the time and half the memory; where they have no room in 63 bits (values to be read of some rows,
  a year's events of ten million people), rows are two words, and sorted by a key. Price: a machine without such instructions
  sorts slower than it counted. Tried before: sorting each person's rows by insertion or merging took thrice the counting.
- Whose the rows are is kept. Context: a miss of the cache per event was half of the reading. Choice: 64 MB of people's
  numbers by row group, told by a build's table; what changed since is looked up anew. Price: that memory.
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
  and a first question that is slower. Tried: a table of actors that needs fewer misses of the cache was not worth its
  lines.
- Sessions are found anew per question. Context: events and merges since the last build have no row in ``sessions``. Choice:
  the rule of that table runs over the events that are read; a stretch of time holds the same sessions whatever came before.
  Price: a pass over events of any name; first-ever steps are a query over all history. A session that is listed is named by
  looking back from an event of it, as far as it takes.
- Traits at the time of the event are read from the calls themselves (``traits_then``). Context: a merge changes who was
  described, for all history, before the next build. Choice: per trait asked for, its calls at the newest identity, looked up
  by time (``histories``; an as-of join where there is a query). Price: each such trait reads the identify (group) events
  once more; definitions, built over events alone, cannot ask.
"""
