"""What `gengap run --search` does with a launched study; what it needs is imported when it runs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from gengap.experiments.launch import Launch
    from gengap.results import Result


def search_launch(launch: "Launch", n_trials: int, *, seeds: int | None = None) -> "Result":
    """Search the remedies that fit a launched study's model, and return the judged finalists.

    Args:
        launch: A study of one model, with what it is to be run on.
        n_trials: Number of trials.
        seeds: Seeds of every trial; None takes the search's own number.

    Raises:
        ValueError: The study has remedies already.
    """
    from gengap.searching.suggesting import reasons, suggest_space
    from gengap.searching.trial_search import search

    if len(launch.study.variants) > 1:
        raise ValueError("--search chooses remedies and their strengths itself: omit --remedies and --suggest.")
    model, fit = launch.study.variants[0].model, dict(launch.fit)
    space = suggest_space(model, fit["x"], fit.get("y"))
    for reason in reasons(space):
        typer.echo(f"Searched: {reason}")
    given: dict[str, Any] = {**fit, "storage": launch.study.storage, "runner": launch.study.runner}
    if seeds is not None:
        given["seeds"] = seeds
    found = search(model, None, n_trials=n_trials, **given)
    for note in (*found.notes, found.sentence):
        typer.echo(note)
    return found.result


def search_notes(notes: Iterable[str]) -> list[str]:
    """Return what a launch says of its files, without the remark that it has no remedies: a search finds them."""
    return [note for note in notes if not note.startswith("No remedies")]
