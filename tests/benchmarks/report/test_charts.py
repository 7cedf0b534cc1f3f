"""Drawings of the report: they parse, stay in their frame and put numbers where they belong."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from benchmarks.report.charts import Interval, Series, curves, distribution


def points(path):
    """The points of an SVG path of straight lines, by stretch."""
    stretches = [part for part in re.split("M", path.rstrip("Z")) if part]
    return [
        np.array([[float(v) for v in pair.split(",")] for pair in part.split("L")])
        for part in stretches
    ]


def in_frame(svg):
    """Parses a drawing and checks that every shape lies inside its frame."""
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for shape in root:
        for name, value in shape.attrib.items():
            if name in {"x1", "x2", "cx", "x"}:
                assert left <= float(value) <= left + width
            if name in {"y1", "y2", "cy", "y"}:
                assert top <= float(value) <= top + height
            if name == "d":
                for found in points(value):
                    assert (found >= (left, top)).all()
                    assert (found <= (left + width, top + height)).all()
    return root


def of_class(root, name):
    return [shape for shape in root if name in shape.attrib.get("class", "").split()]


def test_means_and_bars_lie_on_the_axis_of_the_distributions():
    values = np.linspace(0, 10, 101)
    svg = distribution(
        [Series("ours", "s0", values)], [Interval("ours", "s0", 5.0, (4.0, 6.0))], real=7.5
    )
    root = in_frame(svg)
    (dot,), (bar,), (real,) = (of_class(root, name) for name in ("dot", "bar", "line"))
    assert float(dot.attrib["cx"]) == 160
    assert [float(bar.attrib[x]) for x in ("x1", "x2")] == [128, 192]
    assert float(real.attrib["x1"]) == 240
    (outline,) = of_class(root, "steps")
    heights = points(outline.attrib["d"])[0][:, 1]
    assert np.ptp(heights[1:-1]) < 0.2 * np.ptp(heights)  # even values, even bars
    assert "<b>" not in svg


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [-1e9, 1e9], [0.0, 0.0, 0.1]])
def test_odd_values_draw_too(values):
    series = Series("<b>", "s0", np.array(values))
    mean = float(np.mean(values))
    svg = distribution([series], [Interval("<b>", "s0", mean, None)])
    in_frame(svg)
    assert "nan" not in svg


def test_numbers_that_only_a_set_has_are_dots_on_an_axis_of_their_own():
    found = [Interval("a", "s0", 10.0, None), Interval("b", "s1", 30.0, (20.0, 50.0))]
    root = in_frame(distribution([], found))
    xs = [float(dot.attrib["cx"]) for dot in of_class(root, "dot")]
    assert xs == [0, 160]
    assert of_class(root, "steps") == []


def test_curves_share_one_range_and_gaps_break_them():
    rising = np.linspace(0, 1, 50)
    gappy = np.full(50, 0.5)
    gappy[20:25] = np.nan
    svg = curves(
        [Series("real", "real", rising), Series("ours", "s0", gappy)], np.arange(50.0), 2.0
    )
    root = in_frame(svg)
    real, ours = of_class(root, "line")
    (line,) = points(real.attrib["d"])
    assert line[0, 0] == 0
    assert line[-1, 0] == 320
    assert line[0, 1] > line[-1, 1]  # up is up
    first, second = points(ours.attrib["d"])
    assert (len(first), len(second)) == (20, 25)
    middle = (line[0, 1] + line[-1, 1]) / 2
    assert first[0, 1] == pytest.approx(middle, abs=0.1)
    assert len(of_class(root, "area")) == 1
    texts = [shape.text for shape in root if shape.tag == "text"]
    assert texts == ["0 s", "0 to 1", "2 s"]


def test_flat_curves_and_silence_draw_too():
    svg = curves([Series("a", "s0", np.zeros(10))], np.full(10, -60.0), 0.4)
    root = in_frame(svg)
    assert of_class(root, "area") == []
    assert "nan" not in svg


def test_a_long_curve_is_thinned():
    svg = curves([Series("a", "s0", np.random.default_rng(0).normal(size=5000))], None, 200.0)
    (line,) = of_class(in_frame(svg), "line")
    assert len(points(line.attrib["d"])[0]) == 300
