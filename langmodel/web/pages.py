"""The page's parts, and how they become the playground's page or a page by itself."""

import base64
import hashlib
import json
from html import escape
from pathlib import Path

from langmodel.inference import heat_map

PARTS = Path(__file__).parent / "page"

PANELS = ("words.js", "heat.js", "panels.js")
"""Scripts of both pages, in the order in which they are read; the engine that answers comes before."""

REMOTE = ("remote.js",)
"""The engine of the playground: it asks the server."""

LOCAL = ("text.js", "network.js", "sampling.js", "local.js")
"""The engine of a page by itself: it computes."""

STYLE = "style.css"

ASSETS = {STYLE: "text/css", **dict.fromkeys((*REMOTE, *PANELS), "text/javascript")}
"""What the server gives out beside the page, and what each is."""

SCALE = {
    "most": heat_map.DARKEST_BITS,
    "day": [heat_map.LIGHT, heat_map.DARK],
    "night": heat_map.NIGHT,
    "ranks": heat_map.RANKS,
}
"""How words are coloured."""


def part(name: str) -> str:
    """The text of one of the page's files; the style with what the heat map needs."""
    text = (PARTS / name).read_text(encoding="utf-8")
    return heat_map.STYLE + text if name == STYLE else text


def playground_page() -> str:
    """Markup that takes its style and scripts from the server."""
    scripts = "".join(f'<script src="/assets/{name}" defer></script>' for name in (*REMOTE, *PANELS))
    return _filled("langmodel", f'<link rel="stylesheet" href="/assets/{STYLE}">{scripts}', "", "")


def page_by_itself(title: str, data: dict[str, object], weights: bytes) -> str:
    """Markup, style, scripts and model in one file, which may load nothing at all from anywhere."""
    script = "\n".join(part(name) for name in (*LOCAL, *PANELS))
    style = part(STYLE)
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    held = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = (
        f'<script type="application/json" id="data">{held}</script>\n'
        f'<script type="text/plain" id="weights">{base64.b64encode(weights).decode()}</script>\n'
        f"<script>{script}</script>\n"
    )
    security = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return _filled(escape(title), f"<style>{style}</style>", security, body)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _filled(title: str, head: str, security: str, body: str) -> str:
    filling = {
        "title": title,
        "head": head,
        "security": security,
        "body": body,
        "scale": escape(json.dumps(SCALE)),
    }
    parts = part("page.html").split("<!--")
    shown = [parts[0]]
    for piece in parts[1:]:
        name, _, rest = piece.partition("-->")
        shown += [filling[name], rest]
    return "".join(shown)
