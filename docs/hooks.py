"""What `mkdocs build` takes from the code and the tutorial's notebook, each time it builds."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from typer.cli import get_docs_for_click

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

COMMANDS = {
    "dh-prep": "pipeline.cli.main:app",
    "dh-train": "model.cli.train:train_app",
    "dh-sample": "model.cli.sample:sample_app",
    "dh-sample serve": "model.cli.sample:serve_app",
    "dh-sample live": "model.cli.live:live_app",
    "dh-bench": "benchmarks.cli.main:app",
}
NOTEBOOK = Path(__file__).with_name("tutorial.ipynb")


def command_reference(name: str) -> str:
    """The help of a command and its sub-commands, as Typer's own `utils docs` writes it."""
    module, _, attribute = COMMANDS[name].partition(":")
    command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
    for each in getattr(command, "commands", {}).values():
        each.short_help = (each.help or "").partition("\n\n")[0]  # whole, where Typer cuts it short
    written = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name=name), name=name)
    return re.sub(r"^#", "##", written, flags=re.MULTILINE)  # the page has the title


def notebook_page(path: Path) -> str:
    """The cells of a notebook as Markdown: text as it is, code in fences."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    return "\n\n".join(
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    )


def columns() -> str:
    """A table of the columns of a clip's row."""
    from pipeline.dataset.columns import DESCRIBED, MEASURED, SECONDS

    lines = [f"| `{name}` | {text} |" for name, text in (DESCRIBED | MEASURED | SECONDS).items()]
    return "\n".join(["| column | what it holds |", "| --- | --- |", *lines])


def metrics() -> str:
    """The metrics, each with its direction, unit and the protocol that scores.json states."""
    from benchmarks import METRICS

    return "\n\n".join(
        f"## {metric.label}\n\n`{metric.name}`, {metric.direction} is better"
        f"{f', {metric.unit}' if metric.unit else ''}. {metric.protocol}. Needs {metric.needs}."
        for metric in METRICS.values()
    )


PARTS = {
    "reference/commands.md": lambda: "\n\n".join(command_reference(name) for name in COMMANDS),
    "reference/columns.md": columns,
    "reference/metrics.md": metrics,
    "tutorial.md": lambda: notebook_page(NOTEBOOK),
}


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Appends to some pages what is made from the code or the notebook."""
    part = PARTS.get(page.file.src_uri)
    return markdown + part() if part else markdown
