"""What the report adds to the head of a page: that nothing is fetched, and its own style."""

from __future__ import annotations

from benchmarks.tables.html import TABLE_STYLE

_STYLE = """
:root { --ours: #eef4ff; --s0: #d9480f; --s1: #0b7285; --s2: #7048e8; --s3: #2b8a3e;
  --s4: #c2255c; --s5: #846200; --real: #667085; --good: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --ours: #1d2838; --s0: #ff9d6b; --s1: #4fc8dc;
  --s2: #b39dff; --s3: #69d28a; --s4: #ff8fb4; --s5: #e2bd4e; --real: #98a2b3;
  --good: #5ad19a; } }
html { scroll-behavior: smooth; }
p a { text-decoration-color: var(--soft); }
.eyebrow { text-transform: uppercase; letter-spacing: .08em; }
header h1 { margin-bottom: 10px; }
header .synthetic { font-size: 14px; max-width: none; color: var(--text); background: var(--card);
  border: 1px solid var(--line); border-left: 4px solid var(--mild); border-radius: 8px;
  padding: 8px 12px; margin-bottom: 16px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 0;
  margin: 14px 0 8px; font-size: 14px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
nav a { padding: 4px 0; }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .real { --c: var(--real); }
header .tiles b { white-space: normal; }
header .tiles b span { color: var(--c); font-size: inherit; margin-right: 8px; }
.swatch { background: var(--c); }
.means { display: grid; grid-template-columns: auto 1fr; gap: 1px 14px; margin: 0 0 8px;
  align-items: baseline; }
.means dt { font-size: 13px; color: var(--c); font-weight: 600; overflow-wrap: anywhere; }
.means dd { margin: 0; }
.means b { font-size: 19px; font-variant-numeric: tabular-nums; margin-right: 8px; }
.means small { color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.arrow { color: var(--soft); font-weight: 400; }
.chart { display: block; width: 100%; margin-top: 6px; overflow: visible; }
.chart text { fill: var(--soft); font-size: 11px; }
.chart .axis { stroke: var(--line); }
.chart .steps { fill: var(--c); fill-opacity: .28; stroke: var(--c); stroke-width: 1.2; }
.chart .steps.real { fill: none; stroke-dasharray: 4 3; }
.chart .line { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.chart line.real { stroke-dasharray: 4 3; }
.chart .bar { stroke: var(--c); stroke-width: 3; stroke-linecap: round; opacity: .6; }
.chart .dot { fill: var(--c); }
.chart .area { fill: var(--area); opacity: .7; }
.protocol { font: 11px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; margin: 8px 0 0;
  overflow-wrap: anywhere; max-width: none; }
.ends div { display: flex; gap: 8px; } .ends code { min-width: 0; }
.clips { grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
article { display: flex; flex-direction: column; }
article h3 { display: flex; gap: 8px; align-items: baseline; margin-bottom: 8px; }
article:target { outline: 2px solid var(--accent); }
.badge { font-size: 11px; font-weight: 600; border-radius: 20px; padding: 1px 9px; flex: none;
  border: 1px solid currentColor; }
.badge.worst, .verdict.worse { color: var(--warn); }
.badge.best, .verdict.better { color: var(--good); }
.verdict { font-weight: 600; }
.verdict.within-noise, .verdict.unknown { color: var(--soft); font-weight: 400; }
video { width: 100%; display: block; border-radius: 6px; background: #181818; }
.no-video { border: 1px dashed var(--line); border-radius: 6px; padding: 28px 12px;
  text-align: center; overflow-wrap: anywhere; }
.warning { color: var(--mild); font-size: 13px; margin: 6px 0 0; overflow-wrap: anywhere; }
article summary, .protocol summary { cursor: pointer; color: var(--soft); }
article details { font-size: 12px; margin-top: 4px; }
.values { margin: 8px 0 0; font-size: 13px; width: 100%; }
.values th, .values td { padding: 2px 0; border-bottom: 1px solid var(--line); }
.values th { font-weight: 400; font-size: 12px; }
.values td { text-align: right; color: var(--c); font-variant-numeric: tabular-nums; width: 24%; }
.values tr:last-child > * { border-bottom: 0; }
.key-text { color: var(--c); font-weight: 600; }
.box { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 10px 14px; margin: 12px 0; }
.box summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
.box[open] summary { margin-bottom: 10px; }
.box ul { margin: 0; padding-left: 20px; font-size: 14px; overflow-wrap: anywhere; }
.box h3 { margin: 14px 0 4px; }
.counted { font-weight: 400; color: var(--soft); }
.facts { margin: 0; font-size: 13px; }
.facts div { display: grid; grid-template-columns: 180px 1fr; gap: 2px 12px; padding: 3px 0;
  border-top: 1px solid var(--line); }
.facts dt { color: var(--soft); overflow-wrap: anywhere; } .facts dd { margin: 0; min-width: 0; }
@media (max-width: 40rem) { main { padding: 18px 14px 50px; } h1 { font-size: 23px; }
  .facts div { grid-template-columns: 1fr; } }
@media print { video, nav { display: none; } }
"""

# The page says itself that it must load nothing: a browser then refuses whatever slipped in.
HEAD = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; media-src data:\">"
    f"<style>{TABLE_STYLE}{_STYLE}</style>"
)
