"""Options in groups: what Typer sees is flat, what the command gets are values."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from gengap.reporting.option_groups import in_groups


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(min=1, help="How wide it is.")] = 2
    flat: Annotated[bool, typer.Option("--flat", help="Whether it is flat.")] = False


@dataclass(frozen=True)
class Also:
    width: int = 3


@pytest.fixture
def app():
    made = typer.Typer()

    @made.command()
    @in_groups
    def draw(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="What it is called.")] = "box",
        *,
        size: Size,
        lang: Annotated[str, typer.Option(help="Its language.")] = "en",
    ) -> None:
        """Draw it."""
        told = context.get_parameter_source("width").name
        typer.echo(f"{name} {size} {lang} {told}")

    return made


def test_a_command_gets_its_groups_as_values(app):
    said = CliRunner().invoke(app, ["tin", "--width", "5", "--flat"]).output
    assert said == "tin Size(width=5, flat=True) en COMMANDLINE\n"
    assert CliRunner().invoke(app, []).output == "box Size(width=2, flat=False) en DEFAULT\n"


def test_help_and_sentences_know_every_option(app):
    command = typer.main.get_command(app)
    assert command.help == "Draw it."
    told = {one.name: getattr(one, "help", None) for one in command.params}
    assert told["name"] == "What it is called."
    assert (told["width"], told["flat"], told["lang"]) == ("How wide it is.", "Whether it is flat.", "Its language.")
    wrong = CliRunner().invoke(app, ["--width", "0"])
    assert wrong.exit_code == 2
    assert "width" in wrong.output


def test_groups_that_share_a_name_are_refused():
    def twice(*, one: Size, other: Also) -> None: ...

    with pytest.raises(TypeError, match="share the name 'width'"):
        in_groups(twice)
