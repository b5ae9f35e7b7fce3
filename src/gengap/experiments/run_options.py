"""The options of `gengap run`, in groups."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from gengap.datasets.table_files import Wanted


@dataclass(frozen=True)
class GivenModel:
    """Whose model is trained."""

    model: Annotated[
        Path | None, typer.Option(help="A saved, compiled model: model.keras; auto, or none: a net for the table.")
    ] = None
    code: Annotated[
        Path | None, typer.Option(help="Your Python file of own losses, metrics and layers of --model: it is executed.")
    ] = None
    task: Annotated[
        Literal["binary", "multiclass", "regression"] | None, typer.Option(help="What --model auto is to predict.")
    ] = None

    @property
    def path(self) -> Path | None:
        """The file of the model; None where a net is made for the table."""
        return None if self.model == Path("auto") else self.model


@dataclass(frozen=True)
class CaseFiles:
    """The files of the cases, and what their columns are."""

    data: Annotated[Path | None, typer.Option(help="Training data: .csv, .parquet, .npz or .nc.")] = None
    validation: Annotated[
        Path | None, typer.Option(help="Validation data; without, a fifth of --data is held out.")
    ] = None
    test: Annotated[Path | None, typer.Option(help="Test data, read once, at the end.")] = None
    target: Annotated[str | None, typer.Option(help="Column of the answers; the last one by default.")] = None
    groups: Annotated[str | None, typer.Option(help="Column of groups of dependent cases (days, patients).")] = None
    times: Annotated[str | None, typer.Option(help="Column of times: the latest are held out, a day is a group.")] = (
        None
    )
    positive: Annotated[str | None, typer.Option(help="Of two labels the one that is the event.")] = None
    ignore: Annotated[str, typer.Option(help="Columns that are neither features nor answers: 'id, name'.")] = ""
    encode: Annotated[
        bool, typer.Option("--encode", help="Encode words, dates and blanks, and standardize, for --model.")
    ] = False
    missing: Annotated[str | None, typer.Option(help="What means missing: '-999, M'; '' for nothing else.")] = None
    encoding: Annotated[str | None, typer.Option(help="Of text files: utf-8 (default), cp1252, gb18030.")] = None

    @property
    def by_split(self) -> dict[str, Path | None]:
        """The files by split."""
        return {"train": self.data, "validation": self.validation, "test": self.test}

    @property
    def wanted(self) -> "Wanted":
        """What to take from the files."""
        from gengap.datasets.table_files import Wanted

        return Wanted(
            self.target,
            self.groups,
            _listed(self.ignore),
            times=self.times,
            missing=None if self.missing is None else _listed(self.missing),
            encoding=self.encoding,
            encode=self.encode,
        )


def _listed(text: str) -> list[str]:
    """Cut a list at its commas; entries may stand in quotes, as messages write them."""
    return [one.strip().strip("'\"") for one in text.split(",") if one.strip().strip("'\"")]


@dataclass(frozen=True)
class Tried:
    """What is tried on the model."""

    remedies: Annotated[str, typer.Option(help='What to try: "l2(0.001), dropout(0.5)+l2(0.001)".')] = ""
    suggest: Annotated[bool, typer.Option("--suggest", help="Let gengap choose the remedies.")] = False
    search: Annotated[int | None, typer.Option(min=1, help="Search strengths in so many trials instead.")] = None


@dataclass(frozen=True)
class Trained:
    """How long and how often each variant is trained."""

    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds; 10 by default, 5 with --cv, 3 a trial with --search.")
    ] = None
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of every run, at most.")] = 30
    batch_size: Annotated[int, typer.Option(min=1, help="Cases a step.")] = 32
    cv: Annotated[int | None, typer.Option(min=2, help="Resample: folds; a new division for each seed.")] = None


@dataclass(frozen=True)
class Kept:
    """Where it trains, and where what it leaves is kept."""

    output: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("gengap-study")
    storage: Annotated[Path | None, typer.Option(help="Folder that keeps the study; again: continues.")] = None
    runner: Annotated[str | None, typer.Option(help="Where to train: local or ray.")] = None
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en"


OF_FILES = tuple(
    one.name for group in (GivenModel, CaseFiles, Tried, Trained) for one in fields(group) if one.name != "seeds"
)
"""Options that a study file decides itself: beside one they would mislead."""
