"""The gateway's own pages, for people: plain HTML made here, nothing fetched from anywhere."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.problems import KINDS

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, Consolas, monospace; font-size: .92em; }
h2 { border-bottom: 1px solid #8886; margin-top: 2.5rem; }
h3 { margin: 1.8rem 0 .3rem; font-size: 1rem; }
table { border-collapse: collapse; margin: .4rem 0; }
td, th { text-align: left; vertical-align: top; padding: .1rem 1.2rem .1rem 0; font-weight: normal; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
.note { opacity: .7; }
p { margin: .3rem 0; white-space: pre-line; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"


def serve(html: str) -> Callable[[Request], Awaitable[Response]]:
    """A handler that answers with the page."""

    async def page(_: Request) -> Response:
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})

    return page


def unbuilt() -> Response:
    """In the place of a console that was not built: how to build it, and what there is without it."""
    return HTMLResponse(_UNBUILT, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})


def _unbuilt() -> str:
    return _html(
        "Loupe",
        """
<h1>Loupe</h1>
<p>The console is not built here. <code>make console</code> in the project's folder builds it (it needs a
package registry for Node.js); then reload this page. Everything else works without it.</p>
<p lang="zh">此处尚未构建控制台。请在项目目录运行 <code>make console</code>
（需要可访问的 Node.js 软件源），然后刷新本页。其他功能不受影响。</p>
<table>
<tr><td><a href="/docs">/docs</a></td>
<td>what can be asked, and who may / <span lang="zh">接口说明</span></td></tr>
<tr><td><a href="/openapi.json">/openapi.json</a></td><td>the same for programs, OpenAPI 3.1</td></tr>
<tr><td><a href="/readyz">/readyz</a></td>
<td>state of the services / <span lang="zh">服务状态</span></td></tr>
<tr><td><a href="/healthz">/healthz</a></td><td>state of this process</td></tr>
</table>
<p>Every request under <code>/v1</code> carries a token:</p>
<pre>curl -H "Authorization: Bearer $LOUPE_TOKEN" …/v1/tasks</pre>
""",
    )


def reference(document: dict[str, Any]) -> str:
    """Every operation of the OpenAPI document, by service."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, method.upper(), operation))
    parts = [f"<h1>Loupe</h1><p>{escape(document['info']['description'])}</p>"]
    parts.append('<p>For programs: <a href="/openapi.json">/openapi.json</a></p>')
    for tag in document["tags"]:
        parts.append(f"<h2 id='{escape(tag['name'])}'>{escape(tag['name'])}</h2>")
        parts.append(f"<p>{escape(tag['description'])}</p>")
        parts.extend(by_tag.get(tag["name"], ()))
    parts.append("<h2>Problems</h2>")
    parts.extend(
        f"<h3 id='{kind.anchor}'><code>{kind.code}</code></h3><p>{kind.http_status}: {escape(kind.title)}</p>"
        for kind in KINDS.values()
    )
    return _html("Loupe: interface", "\n".join(parts))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(parameter['name'])}</code></td>"
        f"<td class='note'>{escape(parameter['in'])}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
        for parameter in operation["parameters"]
        if parameter["in"] != "path"
    ]
    body = operation.get("requestBody")
    if body:
        name = body["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
        rows.append(f"<tr><td><code>{escape(name)}</code></td><td class='note'>body</td><td></td></tr>")
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return (
        f"<h3 id='{escape(operation['operationId'])}'><span class='method'>{method}</span>"
        f"<code>{escape(path)}</code></h3><p>{escape(operation['description'])}</p>{table}"
    )


def _html(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


_UNBUILT = _unbuilt()
