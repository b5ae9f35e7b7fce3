"""What a command prints: tables as wide as the terminal, sentences wrapped; plain and whole into a file or a pipe."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gengap.analysis.tables import ShownAsTable, Table


def show_table(shown: "Table | ShownAsTable") -> None:
    """Print a table: in a terminal as wide as it is, verdicts in colour; plain and whole into a file or a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(shown)
    else:
        typer.echo(shown.__rich__().text(None))  # whatever COLUMNS says: nobody reads it here


def say(*sentences: str) -> None:
    """Print sentences, wrapped where there is a terminal, with the minus that terminals know."""
    from gengap.analysis.numbers import typewritten
    from gengap.analysis.text_tables import terminal_width, wrapped

    for sentence in sentences:
        typer.echo(wrapped(typewritten(sentence), terminal_width()))
