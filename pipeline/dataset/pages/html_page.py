"""The frame of the inspection page: the HTML document and its style, light and dark."""

from __future__ import annotations

from html import escape


def html_page(title: str, body: str, *, head: str = "") -> str:
    """A whole HTML document that needs no other file.

    Args:
        title: plain text.
        body: HTML.
        head: HTML for the end of the head, such as a page's own style.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{head}</head>"
        f"<body><main>{body}</main></body></html>\n"
    )


_STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1c2330; --soft: #667085;
  --line: #e1e5eb; --accent: #2563eb; --area: #cbd8ee; --warn: #b42318; --mild: #93620a; }
@media (prefers-color-scheme: dark) { :root { --back: #12151b; --card: #1b2029; --text: #e7eaf0;
  --soft: #98a2b3; --line: #2d3441; --accent: #79a6ff; --area: #36435c; --warn: #ff8a7a;
  --mild: #e8b650; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 18px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 38px 0 12px; }
p { color: var(--soft); margin: 0 0 12px; max-width: 80ch; }
header p { margin: 0; font-size: 13px; overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
code { font: 12px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(134px, 1fr)); gap: 10px; }
.tiles div, figure, article, .scroll { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.tiles div { padding: 10px 12px; }
.tiles b { display: block; font-size: 16px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tiles span, figcaption span, .ends { color: var(--soft); font-size: 13px; }
.chips { display: flex; flex-wrap: wrap; gap: 6px 18px; list-style: none; padding: 0;
  margin: 14px 0 0; font-size: 13px; color: var(--soft); }
.chips b { color: var(--text); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr));
  gap: 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 8px 12px; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { font-size: 13px; color: var(--soft); font-weight: 600; }
.failed { color: var(--warn); font-weight: 600; }
.skipped { color: var(--mild); font-weight: 600; }
figure { margin: 0; padding: 12px 14px; }
figcaption { display: flex; flex-direction: column; margin-bottom: 8px; line-height: 1.35; }
.histogram { width: 100%; display: block; }
.histogram rect { fill: var(--accent); opacity: .8; }
.histogram .axis { stroke: var(--line); }
.histogram .median { stroke: var(--text); stroke-dasharray: 3 3; }
.histogram text { fill: var(--soft); font-size: 11px; }
.ends { margin-top: 6px; }
.ends b { color: var(--text); }
article { padding: 12px; min-width: 0; }
article img { display: block; width: 100%; border-radius: 6px; }
.first { display: grid; grid-template-columns: 112px 1fr; gap: 12px; margin-bottom: 8px; }
.first div { font-size: 13px; line-height: 1.45; color: var(--soft); min-width: 0; }
h3 { font-size: 14px; line-height: 1.3; margin: 0 0 4px; color: var(--text);
  overflow-wrap: anywhere; }
.curve { display: block; width: 100%; height: 52px; margin-top: 8px; }
.curve polygon { fill: var(--area); }
.curve polyline { fill: none; stroke: var(--accent); stroke-width: 1.6;
  vector-effect: non-scaling-stroke; }
.key-line { color: var(--accent); font-weight: 600; }
.key-area { background: var(--area); color: var(--text); border-radius: 3px; padding: 0 4px; }
"""
