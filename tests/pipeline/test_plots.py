"""Plots for pages: what a browser needs to draw them, and the same bytes each time."""

from xml.etree import ElementTree as ET

from pipeline.plots import COLOURS, bare_figure, inline_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(name: str = "a < b") -> str:
    figure, axes = bare_figure(200, 60)
    axes.plot([0, 1, 2], [0, 3, 1], color=COLOURS["s0"], marker="o")
    axes.fill_between([0, 1, 2], [1, 2, 1], color=COLOURS["area"], alpha=0.5)
    axes.text(0, 0, name, color=COLOURS["soft"], fontsize=11)
    return inline_svg(figure, 'curve "one"')


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn("c")


def test_colours_are_the_pages_and_text_is_text() -> None:
    svg = ET.fromstring(drawn())
    assert svg.get("viewBox") == "0 0 200 60"
    assert svg.get("aria-label") == 'curve "one"'
    (text,) = svg.iter(f"{SVG}text")
    assert text.text == "a < b"
    assert "var(--soft, " in text.get("style", "")
    assert "font-family" not in text.get("style", "")
    styles = " ".join(e.get("style", "") for e in svg.iter())
    assert "stroke: var(--s0, " in styles
    assert "fill: var(--area, " in styles
    assert "#ffffff" not in styles  # a background would hide the page's own


def test_nothing_of_a_figure_holds_for_the_rest_of_the_page() -> None:
    svg = ET.fromstring(drawn())
    assert not list(svg.iter(f"{SVG}style"))
    assert not [e for e in svg.iter(f"{SVG}g") if e.get("id")]
    used = {e.get("{http://www.w3.org/1999/xlink}href") for e in svg.iter(f"{SVG}use")}
    assert "clip" not in drawn()
    ids = {e.get("id") for e in svg.iter()} - {None}
    assert used <= {f"#{name}" for name in ids}
