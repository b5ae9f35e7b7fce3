"""The commands `gengap ship` and `gengap predict`; what they need is imported when they run."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

CodeFile = Annotated[Path | None, typer.Option(help="Your Python file of own losses and layers: it is executed.")]


def use(code: Path | None) -> None:
    """Execute the user's own file of losses and layers, if there is one."""
    if code is not None:
        from gengap.experiments.users_code import use_code

        use_code(code)


def ship(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a result with its weights.")],
    *,
    output: Annotated[Path, typer.Option(help="Where to write the model; its cards go beside it.")] = Path(
        "model.keras"
    ),
    variant: Annotated[str | None, typer.Option(help="The variant; the recommended one by default.")] = None,
    epoch: Annotated[Literal["best", "last"] | None, typer.Option(help="Epoch whose weights are taken.")] = None,
    seeds: Annotated[str, typer.Option(help="median, all (their mean in one graph), or a seed.")] = "median",
    temperature: Annotated[bool, typer.Option("--temperature", help="Temper it on validation.")] = False,
    noise: Annotated[bool, typer.Option("--noise", help="Leave dropout on when the model is called.")] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train anew on training and validation cases; with folds on all.")
    ] = False,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the card: en or zh.")] = "en",
    code: CodeFile = None,
) -> None:
    """Write what a study chose as one ordinary Keras model, with a card that says what it is."""
    use(code)
    from gengap.shipping.shipped import ship as ship_from
    from gengap.study.loading import load

    if output.suffix != ".keras":
        raise typer.BadParameter("the output is a Keras model: give it a name that ends in .keras")
    named: dict[str, Literal["median", "all"]] = {"median": "median", "all": "all"}
    if seeds not in named and not seeds.isdigit():
        raise typer.BadParameter("--seeds is median, all, or a seed of the study")
    chosen = named[seeds] if seeds in named else int(seeds)
    anew: dict[str, Any] = {}
    if retrain:
        from gengap.experiments.relaunch import again

        fit = again(folder).fit
        anew = {"retrain_on": fit["x"], "preprocess": fit.get("preprocess")}
    shipped = ship_from(load(folder), variant, epoch=epoch, seeds=chosen, temperature=temperature, noise=noise, **anew)
    files, card = shipped.save(output, lang=lang), shipped.cards[lang]
    typer.echo(card.title)
    for one in card.scores:
        typer.echo(
            f"  {one.score} of the forecast {one.what} on {one.part}: {one.value:.4f} [{one.low:.4f}, {one.high:.4f}]"
        )
    for sentence in card.limits:
        typer.echo(f"- {sentence}")
    typer.echo(f"Model: {files[0]}\nCards: {files[1]}, {files[2]}")


def predict(
    model: Annotated[Path, typer.Argument(help="A saved model: model.keras.")],
    rows: Annotated[Path, typer.Argument(help="Cases without answers: .csv, .parquet or .npz.")],
    *,
    output: Annotated[Path | None, typer.Option(help="CSV file to write to; printed by default.")] = None,
    members: Annotated[int, typer.Option(min=1, help="Calls of a model whose noise is on.")] = 1,
    seed: Annotated[int, typer.Option(help="Fixes the draws of such a model.")] = 0,
    code: CodeFile = None,
) -> None:
    """Forecast the rows of a file with a saved model."""
    use(code)
    from gengap.shipping.rows import predict_rows

    found = predict_rows(model, rows, num_members=members, seed=seed)
    for note in found.notes:
        typer.echo(note, err=True)
    if output is None:
        typer.echo(found.table.to_csv(index=False), nl=False)
        return
    found.table.to_csv(output, index=False)
    typer.echo(f"Forecasts of {len(found.table)} rows: {output}")
