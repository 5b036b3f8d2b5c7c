"""What the other roles' processes hold."""

import subprocess
import sys
from functools import cache

FLUSH = "import api.decoding, ingest.flush, ingest.ids, ingest.lake"
WORK = "import api.building, api.forgetting, api.store, transforms.schedule"
SERVE = "import api.app, api.routes, funnels.warm"


@cache
def loaded(imports: str) -> set[str]:
    """What a role's process holds once it has these and has given pyarrow a list, at which pyarrow would look for pandas."""
    code = "from api.lean import without_unused; without_unused()"
    code += f"; {imports}; import sys, pyarrow.dataset; pyarrow.array([1]); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name.split(".")[0] for name in told.split()}


def test_no_role_holds_pandas() -> None:
    for imports in (FLUSH, WORK, SERVE):
        held = loaded(imports)
        assert "pyarrow" in held
        assert "pandas" not in held


def test_only_the_query_api_holds_a_compiler() -> None:
    assert "numba" in loaded(SERVE)
    assert {"numba", "scipy"} & loaded(WORK) == set()
    assert {"numba", "scipy", "duckdb", "fastapi", "sqlalchemy"} & loaded(FLUSH) == set()
