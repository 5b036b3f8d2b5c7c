"""Ingest: from an SDK's call to rows in the lake, nothing lost and nothing twice.

The way of an event: ``http`` (the door) reads the body, ``protocols.envelope`` looks whose it is, ``wal`` stores it, and
only then the door answers 200. Later ``flush`` reads the sealed segments, ``protocols`` decodes them, ``ids`` tells copies
apart, ``columns`` makes tables of them, ``lake`` keeps them, and the segment goes. Where a copy came before the one that is
stored, ``contest`` decides, and ``exchange`` stores the one in the place of the other.
History from files comes in through ``load``, which hands sorted chunks to the same flush. Rejected events that somebody
wants decoded again come in through ``replay``, the same way, with what their request said besides (``asked``).

On disk, below the data folder
    log/<name>/     one write-ahead log per collector process: see ``log_folder``; its bytes: ``record``
    index/          LMDB: ids seen, outcomes counted, what broke the plan, how far each log has come: see ``ids``
    forgotten.json  hashes of ids under which nothing is stored any more: see ``tombstones``
    import/         imports under way: see ``load``
    lake/<project>/ Delta Lake tables ``events`` and ``rejected``: columns in ``event``, rules of writing in ``lake``

Invariants
- An answer of 200 means: on disk and synced. A 503 means: not stored, send again.
- Every received event ends in exactly one ``outcome.Outcome``: accepted, duplicate, forgotten, left out without consent, or
  rejected for one reason; a rejected one keeps its bytes.
- What an event becomes depends on its record alone (and the tracking plan): what its source is set to stands in the record's
  path (``told``), so a change of settings touches nothing that came before it.
- A segment is deleted only after the lake has its events and the index has its ids.
- Memory is bounded: bodies on their way (``body``) and bodies that wait for the disk (``log_queue``) have a budget each, of
  which no sender gets all (``shares``); beyond it the answer is 503.
- Doing any step again changes nothing: a crash at any point is answered by doing it again.
- An event before the mark of ``progress.complete_until`` is in the lake.

Who may import it: everyone; it imports nothing of ours. The door (``http``, ``keys``, ``wal``, ``protocols.envelope``) never
imports pyarrow, deltalake or lmdb: a collector process stays small.

Decisions
- *An unknown key is refused on a definite no alone.* See ``keys``.
- *Who refuses consent leaves no bytes.* Context: every rejected event is kept as it came; to keep one whose sender asked not
  to be tracked would be the contrary of what was set. Choice: ``no_consent`` is an outcome that is counted and not kept.
  Price: such an event cannot be replayed. One that breaks another rule keeps its bytes, ids and address included, under the
  mark that has them taken out at a replay; ``rejected_days`` bounds how long.
- *Without ids an event stands alone.* Context: people who are not to be told apart must not become one person either.
  Choice: its own id is its anonymous id. Price: an actor per such event, so such visitors count as many.
- *The request's address and country are its sender's only where it comes from a browser or phone.* Context: a server's
  SDK sends for all its users. Choice: the request's own user agent, or a phone's context, decides. Price: an app whose HTTP
  client says neither has no country.
- *A log of our own before the lake.* Context: the lake commits in 20 to 100 ms, a sender wants its answer in one. Choice:
  append-only segments with group commit; SQLite as the log was five times slower on batches. Price: ``wal`` and its tests.
- *The raw request is logged, not the decoded event.* Context: decoding costs ten times what storing does. Choice: the flush
  decodes, in a process of its own. Price: the JSON is scanned twice.
- *Exactly once by what is in hand.* Context: the lake and the index cannot commit together. Choice: the index notes the
  group first; after a crash that very group comes first, is decided the same, and the lake refuses the batch it has. Price:
  one small commit more per group, and one flush per data folder.
- *Ids in LMDB, by periods of 30 days.* Context: copies come days later, ids are random. Choice: a 16-byte digest in a B-tree
  per period, with when it was seen; forgetting is dropping a tree, done by the flush once no event that needs it can come.
  Price: 100 to 145 bytes per event of the last 60 to 90 days; some 4 microseconds an id at half a million ids.
- *Late events ask the lake.* An event whose month began before the index does is looked for there: see ``copies``.
- *A smaller copy takes the place of a larger one.* Context: of copies the smallest (received_at, log, offset) stays, but two
  logs may hold one event, and that of the first be flushed late. Choice: the index tells by ``received_at`` who may have
  been first, the rows in the lake decide (log and offset stand there, and 16 bytes more an id would be for ties alone), and
  one commit stores the newcomer and rewrites the file of the other without it. Price: such a group reads the ids of its
  months (0.1 s a million), and writes the other's file again. Counts tell the copy that came to light later as the
  duplicate; a link of identity that the other made is told anew by the next build.
- *Tables are read by Arrow from our own list of files.* Context: deltalake's dataset skips files of which the log tells a
  least value of some columns only, and Arrow cannot compare what Delta's delete writes (string views) with a text: after a
  retention a late event held up its log. Choice: ``Lake.dataset`` prunes by month alone. Price: none seen; ids are random.
- *A replayed event moves from one count to another.* Context: every event has one outcome, and a replay gives it another.
  Choice: ``rejected:<reason>`` goes down in the hour it came, ``accepted`` up in the hour of the replay; its row in
  ``rejected`` goes in the same step, so that counts and rows agree. Price: the count of a past hour can change.
- *zstd level 1 in the lake.* Context: Snappy is 7 % faster to write. Choice: zstd, a third smaller. Price: those 7 %.
"""
