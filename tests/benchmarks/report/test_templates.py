"""Templates of pages lie in the package and compile."""

from __future__ import annotations

from importlib.resources import files

import pytest

from pipeline.templates import environment

NAMES = ("report.html.j2", "drift.html.j2", "table.html.j2", "table.md.j2", "results.html.j2")


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_found_in_the_package(name):
    assert files("benchmarks").joinpath("templates", name).is_file()
    environment("benchmarks").get_template(name)
