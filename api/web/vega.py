"""The chart library as one script, made from what vl-convert carries: nothing is fetched, nothing large lies in the tree.

Making it takes about two seconds and gives 0.9 MB (packed: a third of it), so it is made on the first request and kept in
`cache` under the library's version. The script sets `window.vegaEmbed`.
"""

import gzip
import os
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

making = threading.Lock()


def bundle(cache: Path, *, packed: bool) -> Path:
    """The script's file, gzipped if `packed`; made on the first call, by one thread only."""
    import vl_convert  # 40 MB once loaded: only for the process that serves charts

    plain = cache / f"vega-{version('vl-convert-python')}.js"
    gzipped = plain.with_suffix(".js.gz")
    with making:
        if not (plain.exists() and gzipped.exists()):
            cache.mkdir(parents=True, exist_ok=True)
            script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode()
            put(gzipped, gzip.compress(script, mtime=0))
            put(plain, script)
    return gzipped if packed else plain


def put(path: Path, content: bytes) -> None:
    """Write whole or not at all: another process may be reading, or making the same file at the same time."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
