"""Figures of matplotlib as SVG inside a page: reproducible bytes, the page's colours."""

import io
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours to draw with, by the CSS variable of pipeline/templates/page.html.j2 that they become.
# Where a drawing stands by itself they are what is seen: readable on white and on black.
COLOURS = {
    "text": "#808892", "soft": "#7b8494", "line": "#9aa2ae", "accent": "#4d82f3",
    "area": "#a9b8d2", "real": "#747e90",
    "s0": "#e0692f", "s1": "#158fa5", "s2": "#8463ee", "s3": "#389c4d", "s4": "#d6457c",
    "s5": "#a17a08",
}  # fmt: skip

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def bare_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure in CSS pixels, which the page may scale; its axes fill it and are not drawn."""
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def inline_svg(figure: Figure, label: str) -> str:
    """The figure as an `svg` element of class `plot`: same figure, same bytes.

    `COLOURS` become CSS variables with themselves as the fallback, so that one drawing suits light
    and dark pages. Text stays text, in the page's font; `label` is for readers who cannot see it.
    The figure, made without pyplot, is drawn without background and without clipping, whose ids
    would be those of other figures on the page.
    """
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(False)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "diffused-heads"}):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib's own
    root.attrib = {"viewBox": root.attrib["viewBox"], "font-family": "sans-serif"}
    root.attrib |= {"stroke-linejoin": "round", "class": "plot", "role": "img", "aria-label": label}
    root.remove(root[0])  # a style sheet, which would hold for the whole page
    for element in root.iter():
        for clip in element.findall(f"{{{_SVG}}}defs[{{{_SVG}}}clipPath]"):
            element.remove(clip)
        if element.tag == f"{{{_SVG}}}g":
            element.attrib.pop("id", None)  # the same in every figure of a page
        element.attrib.pop("clip-path", None)
        if not (element.text or "").strip():
            element.text = None
        element.tail = None
        if style := element.attrib.get("style"):
            for name, colour in COLOURS.items():
                style = style.replace(colour, f"var(--{name}, {colour})")
            element.attrib["style"] = re.sub(r"font-family:[^;]*;?\s*", "", style)
        if "d" in element.attrib:  # a hundredth of a pixel is as much as can be seen
            path = " ".join(element.attrib["d"].split())
            element.attrib["d"] = re.sub(
                r"-?\d+\.\d+", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), path
            )
    return ET.tostring(root, encoding="unicode")
