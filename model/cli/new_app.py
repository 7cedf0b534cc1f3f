"""The applications of commands; nothing here imports torch: `--help` is to come at once."""

import typer


def new_app() -> typer.Typer:
    """A command's application; exceptions show no values, which may be private."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    )
