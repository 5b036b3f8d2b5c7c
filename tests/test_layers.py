"""Imports go one way, left to right: ingest and sql, transforms, funnels, api."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "ingest": {"ingest"},
    "sql": {"sql"},
    "transforms": {"transforms", "sql", "ingest.actor", "ingest.event", "ingest.lake", "ingest.numbers"},
    "funnels": {"funnels", "transforms", "sql", "ingest.actor", "ingest.event", "ingest.lake", "ingest.numbers"},
    "api": {"api", "funnels", "transforms", "sql", "ingest"},
}


def imported(file: Path) -> set[str]:
    """The modules of ours that a file imports, relative imports included, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: import by the full name, so that the layer can be read"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in MAY_IMPORT}


def test_imports_go_one_way() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for package, allowed in MAY_IMPORT.items()
        for file in (ROOT / package).rglob("*.py")
        for name in imported(file)
        if not any(name == allow or name.startswith(f"{allow}.") for allow in allowed)
    ]
    assert wrong == []
