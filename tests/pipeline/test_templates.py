"""Templates: found in the package, escaped, and strict about names."""

from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from pipeline.templates import environment


def test_every_page_extends_one_that_lies_in_the_package() -> None:
    assert files("pipeline.templates").joinpath("page.html.j2").is_file()
    page = environment("pipeline").get_template("page.html.j2").render()
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_text_is_escaped_and_absent_names_raise() -> None:
    pages = environment("pipeline")
    child = '{% extends "page.html.j2" %}{% block content %}{{ name }} {{ 1234.5|number }}'
    template = pages.overlay(autoescape=True).from_string(child + "{% endblock %}")
    assert "<main>\n&lt;b&gt; 1234</main>" in template.render(name="<b>")
    with pytest.raises(UndefinedError, match="name"):
        template.render()


def test_bytes_become_an_address() -> None:
    template = environment("pipeline").from_string("{{ data | data_uri('image/webp') }}")
    assert template.render(data=b"abc") == "data:image/webp;base64,YWJj"
