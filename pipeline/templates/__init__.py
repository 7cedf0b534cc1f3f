"""The Jinja2 environment of every page, and the page that they all extend (`page.html.j2`)."""

import base64
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from pipeline.units import number_text


@cache
def environment(package: str) -> Environment:
    """An environment that finds the templates of a package, and `page.html.j2` beside them.

    What goes into `.html.j2` is escaped, into others (`.md.j2`) it is not. A name that the context
    lacks raises. Filters: `number` writes a number as short as its size allows; `data_uri` takes
    bytes and a MIME type. `package` is a dotted name, such as `benchmarks.report`.
    """
    found = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("pipeline")]),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["number"] = number_text
    found.filters["data_uri"] = lambda data, mime: (
        f"data:{mime};base64,{base64.b64encode(data).decode()}"
    )
    return found
