"""``/docs``: the OpenAPI description as one page of plain HTML, with nothing fetched from elsewhere.

FastAPI's own page loads its scripts from another host, which a server inside a company's network cannot count on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
summary { padding: .6rem .8rem; cursor: pointer; }
details > div { padding: 0 .8rem .8rem; overflow-x: auto; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
b.get { color: #1a7f5a; } b.post { color: #b35900; } b { display: inline-block; width: 3.2rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; vertical-align: top; }
.quiet { opacity: .7; }
"""


def page(description: dict[str, Any]) -> str:
    """The description of every path, grouped by tag."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append((path, method, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(_operations(found))}" for tag, found in groups.items())
    title = f"{escape(description['info']['title'])} {escape(description['info']['version'])}"
    about = escape(description["info"]["description"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{about}</p>"
        f'<p><a href="/openapi.json">openapi.json</a> · <a href="/">dashboard</a></p>{body}'
    )


def _operations(found: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    for path, method, operation in found:
        yield (
            f'<details><summary><b class="{method}">{method.upper()}</b> <code>{escape(path)}</code> '
            f'<span class="quiet">{escape(operation.get("summary", ""))}</span></summary><div>'
            f"{_about(operation)}{_parameters(operation)}{_body(operation)}{_answers(operation)}</div></details>"
        )


def _parameters(operation: dict[str, Any]) -> str:
    rows = []
    for one in operation.get("parameters", ()):
        schema = one.get("schema", {})
        allowed = " | ".join(map(str, schema.get("enum") or schema.get("examples") or [schema.get("type", "")]))
        default = f", default {schema['default']}" if "default" in schema else ""
        rows.append(
            (
                f"<code>{escape(one['name'])}</code>",
                f"<code>{escape(allowed + default)}</code>",
                escape(one.get("description", "")),
            )
        )
    return _table("Parameters", rows)


def _about(operation: dict[str, Any]) -> str:
    return f"<pre>{escape(operation['description'])}</pre>" if operation.get("description") else ""


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _table("Body", list(_properties(content.get("schema", {}), "")))
    example = (
        f"<h4>Example</h4><pre>{escape(json.dumps(content['example'], indent=2))}</pre>" if "example" in content else ""
    )
    return schema + example


def _properties(schema: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """A row per property of an object, those of its parts below it."""
    for name, one in schema.get("properties", {}).items():
        inner = one.get("items", one)
        allowed = one.get("enum") or one.get("examples") or [one.get("type", "")]
        default = f", default {json.dumps(one['default'])}" if "default" in one else ""
        shown = f"{' | '.join(one if isinstance(one, str) else json.dumps(one) for one in allowed)}{default}"
        cells = (f"{path}{name}", shown)
        yield (*(f"<code>{escape(cell)}</code>" for cell in cells), escape(one.get("description", "")))
        yield from _properties(inner, f"{path}{name}{'[]' if 'items' in one else ''}.")


def _answers(operation: dict[str, Any]) -> str:
    return _table("Answers", [(escape(s), escape(a["description"])) for s, a in sorted(operation["responses"].items())])


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h4>{title}</h4><table>{cells}</table>" if rows else ""
