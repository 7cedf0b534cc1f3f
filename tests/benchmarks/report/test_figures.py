"""Plots of the report: they parse, stay in their frame and put numbers where they belong."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from benchmarks.report.figures import Mean, Series, curves, distribution

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg):
    """The drawing; every path lies inside its frame, but for the ends of thick strokes."""
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    defs = {id(path) for one in root.iter(f"{SVG}defs") for path in one.iter(f"{SVG}path")}
    for path in root.iter(f"{SVG}path"):
        if id(path) not in defs:
            found = points(path)
            assert (found >= (left - 0.01, top - 0.01)).all()
            assert (found <= (left + width + 0.01, top + height + 0.01)).all()
    assert "nan" not in svg
    return root


def points(path):
    """The points of a path of straight lines."""
    numbers = re.findall(r"-?[\d.]+", path.attrib["d"])
    return np.array(numbers, float).reshape(-1, 2)


def drawn(root, colour, *styles):
    """Paths in a colour whose style has these parts."""
    wanted = (f"var(--{colour}", *styles)
    return [
        path
        for path in root.iter(f"{SVG}path")
        if all(part in path.get("style", "") for part in wanted)
    ]


def dots(root):
    """Where the dots are: lines without length, with round ends."""
    found = drawn(root, "s", "stroke-width: 8.5", "stroke-linecap: round")
    assert all(np.ptp(points(dot), axis=0).tolist() == [0, 0] for dot in found)
    return [points(dot)[0, 0] for dot in found]


def test_means_and_bars_lie_on_the_axis_of_the_distributions():
    values = np.linspace(0, 10, 101)
    means = [Mean("ours", "s0", 5.0, (4.0, 6.0))]
    root = parsed(distribution([Series("ours", "s0", values)], means, real=7.5))
    (bar,) = drawn(root, "s0", "stroke-width: 3")
    (real,) = drawn(root, "real")
    assert dots(root) == [160]
    assert points(bar)[:, 0].tolist() == [128, 192]
    assert points(real)[0, 0] == 240
    outline = drawn(root, "s0", "fill: none", "stroke-width: 1.2")[0]
    heights = points(outline)[:, 1]
    assert np.ptp(heights[1:-1]) < 0.2 * np.ptp(heights)  # even values, even bars


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [-1e9, 1e9], [0.0, 0.0, 0.1]])
def test_odd_values_draw_too(values):
    series = Series("<b>", "s0", np.array(values))
    svg = distribution([series], [Mean("<b>", "s0", float(np.mean(values)), None)])
    parsed(svg)
    assert "<b>" not in svg


def test_numbers_that_only_a_set_has_are_dots_on_an_axis_of_their_own():
    found = [Mean("a", "s0", 10.0, None), Mean("b", "s1", 30.0, (20.0, 50.0))]
    root = parsed(distribution([], found))
    assert dots(root) == [0, 160]
    assert drawn(root, "s0", "stroke-width: 1.2") == []


def test_curves_share_one_range_and_gaps_break_them():
    rising = np.linspace(0, 1, 50)
    gappy = np.full(50, 0.5)
    gappy[20:25] = np.nan
    lines = [Series("real", "real", rising), Series("ours", "s0", gappy)]
    root = parsed(curves(lines, 2.0, area=np.arange(50.0)))
    (real,), (ours,) = drawn(root, "real"), drawn(root, "s0")
    line = points(real)
    assert line[0, 0] == pytest.approx(320 * (0.12 + 0.88 * 0.5 / 50), abs=0.01)
    assert line[-1, 0] == pytest.approx(320 * (0.12 + 0.88 * 49.5 / 50), abs=0.01)
    assert line[0, 1] > line[-1, 1]  # up is up
    assert ours.attrib["d"].count("M") == 2
    middle = (line[0, 1] + line[-1, 1]) / 2
    assert points(ours)[0, 1] == pytest.approx(middle, abs=0.1)
    assert len(drawn(root, "area")) == 1
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["0", "1", "0 s", "2 s"]


def test_flat_curves_and_silence_draw_too():
    root = parsed(curves([Series("a", "s0", np.zeros(10))], 0.4, area=np.full(10, -60.0)))
    assert "--area" not in ET.tostring(root, encoding="unicode")


def test_a_band_around_one_is_in_view():
    root = parsed(curves([Series("a", "s0", np.full(4, 1.05))], 4.0, band=0.1, in_view=(0.8, 1.2)))
    (band,), (line,) = drawn(root, "area"), drawn(root, "s0")
    top, bottom = points(band)[:, 1].min(), points(band)[:, 1].max()
    at = points(line)[0, 1]
    assert (bottom - at) / (bottom - top) == pytest.approx(0.75, abs=0.01)


def test_a_long_curve_is_thinned():
    values = np.random.default_rng(0).normal(size=5000)
    (line,) = drawn(parsed(curves([Series("a", "s0", values)], 200.0)), "s0")
    assert len(points(line)) <= 300
