"""Templates of pages lie in the package and compile."""

from importlib.resources import files

import pytest

from pipeline.templates import environment
from pipeline.units import number_text

NAMES = ("report.html.j2", "drift.html.j2", "table.html.j2", "table.md.j2", "results.html.j2")


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_found_in_the_package(name):
    assert files("benchmarks").joinpath("templates", name).is_file()
    environment("benchmarks").get_template(name)


def test_numbers_of_a_card_have_even_decimals():
    values = (0.4, 0.415, 24.0, 24.02, 3, -0.5, 181.4)
    texts = [number_text(value, even=True) for value in values]
    assert texts == ["0.400", "0.415", "24", "24.0", "3", "−0.500", "181"]
    assert number_text(0.4) == "0.4"
