"""Where everything meets: the command line, the processes, the query API, and the dashboard in ``web/``.

    jcurve up (cli, up) -> roles: door, flush, work, serve -> door, app: the wiring -> ingest, transforms, funnels
    browser -> door -> proxy -> serve: app -> handlers, auth, parameters -> routes/* -> formats -> answer

Owns, in the data folder (``folder`` names everything in it)
    store.sqlite     projects, and the hashes of their keys (``store``, ``migrations``); sources and saved funnels, too
    keys.json        the hashes in force with the settings of their sources, replaced in one act after each change;
                     collectors and the query API read only this
    forget/          requests to forget a person, until they are done (``forgetting``)
    run/             locks of the roles, the socket between the door and ``serve``, and what the processes count (``meters``)
    jcurve.toml      settings, where there are any

Invariants
    - Nothing that was sent, and no key, gets into a log (``logs``).
    - Only ``settings`` reads the environment (``roles`` writes one variable, by which the metrics library finds its folder);
      only ``clock`` reads the time; only ``app`` and ``door`` wire.
    - The door's process imports neither Arrow, DuckDB, numba nor FastAPI, and waits for none of the other processes.
    - Each error answers as ``application/problem+json``; ``handlers`` is the one map from errors to statuses.
    - A key belongs to one project; the project of an answer is the key's, never a parameter.
    - An answer reads the tables of one manifest, and says which.

Who may import it: nobody below; tests.

Decisions
    Context  One greedy query must not take the collector down, yet a newcomer wants one command and one port.
    Choice   A supervisor that opens the port and starts a process per role; the door hands what is not an SDK's on.
    Price    About 450 MB for the idle roles, and 2 ms for a question on its way through the door.

    Context  A crashed door would refuse connections until it is back, and some SDKs drop what they could not send.
    Choice   The supervisor keeps the listening socket open; connections wait in its queue until the next door takes them.
    Price    While no door comes up, senders see a time-out instead of a refusal.

    Context  A store that several hosts share may be away when a host starts, and events go on coming.
    Choice   Where keys were published before, everything starts: the door on them, what needs the store when it is there.
    Price    The query API answers 503 until then, where it would have said at once what is wrong.

    Context  Several workers that accept from one socket share unevenly: whichever wakes first takes what waits, and SDKs
             keep their connections (seen: 2 and 98 % of the work).
    Choice   A socket for each worker at the same port (``ports``); the kernel deals connections out by their addresses.
    Price    A few long connections may still fall unevenly; those dealt to a crashed worker wait until it is back, two
             seconds at most. Budgets of memory (``uploads``, ``queue``) and a source's share of them are each worker's own.

    Context  Who reads logs may be somebody who may not read the data, and errors quote what they stumbled over.
    Choice   ``logs``: one line of fields for everything; of an error that may quote, its type and where it went through.
    Price    Without the text of a ``ValueError`` a fault is found by its place.

    Context  Typer's signatures would repeat the settings table per command, and it imports half of its weight at each start.
    Choice   click, with flags made from the table, and each command's file imported when it is called.
    Price    A decorator of twenty lines (``commands/__init__``).

    Context  The growth team works with read keys, and what it asks again and again wants a name.
    Choice   Any read key saves a funnel; keys of the same source, and admin keys, change and remove it.
    Price    Keys of one source share what they saved: a key lost is also one that can remove it.

    Context  A builder of questions must offer the events and properties that exist, of a history of any length.
    Choice   ``catalogue`` counts names over two columns, and looks at a few late events of each; kept for a minute.
    Price    A property that fifty late events of a name lack is not offered, though it may be typed.

    Context  FastAPI's pages at /docs load their scripts from another host, which an offline host cannot.
    Choice   ``documentation`` writes the same description as one page of HTML; /openapi.json is there for tools.
    Price    No "try it out" button.

    Context  FastAPI declares parameters in signatures and stops at the first kind of fault.
    Choice   Parameters are data (``parameters``): one list reads them, names all faults at once, and documents them.
    Price    Routes take a plain request.
"""
