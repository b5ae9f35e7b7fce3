"""What an improvement says in the end: what to ship, what is known of it, and how the time was kept."""

from collections.abc import Sequence

from gengap.analysis import audit, compare, diagnose, recommend
from gengap.analysis.cases import networks
from gengap.analysis.claims import cautions_of
from gengap.analysis.comparison.contrasts import Contrast
from gengap.analysis.findings.wording import Word
from gengap.analysis.numbers import typewritten
from gengap.improving.planning import MOST_EPOCHS, MOST_SEEDS, MOST_TRIALS, Clock
from gengap.results import Result
from gengap.results.resampled import resampling_of
from gengap.searching import SearchResult
from gengap.searching.nesting import SEARCHED

_OF_CASES = {"GG320", "GG321", "GG322", "GG323", "GG324", "GG325"}


def without_skill(result: Result, variant: str) -> str:
    """Say that even what is shipped is no better than a forecast that is always the same, where that is so."""
    found = [one for one in diagnose(networks(result)).findings if one.subject == variant]
    codes = {one.code for one in found if one.message.values.get("rule") != Word("last")}
    constant = "the mean of the answers" if result.manifest["task"] == "regression" else "the base rates"
    if "GG111" in codes:
        return (
            f" Mind that it is worse than always forecasting {constant}: scale inputs and answers to about 1, or "
            "compile it with a larger learning rate, and improve it again."
        )
    return f" It is not shown to beat always forecasting {constant}." if "GG110" in codes else ""


def unfinished(result: Result) -> str:
    """Say that the model as it is had not learned all that it learns: what learns faster then looks better."""
    own = result.runs.sel(variant=result.baseline)
    if float((own["best_epoch"] >= own["epochs"]).mean()) <= 0.5:
        return ""
    return (
        f" Mind that runs ended after {int(own['epochs'].max())} epochs, when the model as it is was still getting "
        "better: what learns faster looks better then."
    )


def of_cases(result: Result) -> tuple[str, ...]:
    """Say what makes scores flatter, or learning hard: twins and groups across splits, inputs that are not scaled."""
    resampled = resampling_of(result)
    found = [one for one in audit(networks(result)).findings if one.code in _OF_CASES and one.severity != "info"]
    told = [f"{str(one.subject).capitalize()} cases: {one.message}." for one in found]
    return (*([] if resampled is None else cautions_of(resampled)), *told)


def of_heads(names: Sequence[str], scored: str | None) -> tuple[str, ...]:
    """Say which of several outputs is judged, and shipped."""
    if scored is None:
        return ()
    said = (
        f"Of the outputs {', '.join(names)} the one that is judged is {scored}, and the model that is shipped answers "
        "with it alone; for another one take `gengap.search(..., output=...)` and `gengap.ship`."
    )
    return (said,)


def simpler(found: SearchResult, reference: str) -> str:
    """Say that a simple model does as well, or better."""
    contrast = compare(found.result)[reference]
    against = f"{_interval(found, contrast)} against the model as it is"
    return f" Mind that {reference} does as well or better: {against}, {contrast.verdict.short}."


def _interval(found: SearchResult, contrast: Contrast) -> str:
    return f"{found.score.replace('_', ' ')} {typewritten(format(contrast.shown, '+'))}"


def sentence(found: SearchResult, remedy: str) -> str:
    """Return what to ship, and what is known of it; the difference is said whichever way the choice went.

    So an interval is not shown only where it pleases, although the finalists are chosen on the cases it is read on.

    Args:
        found: The search, its finalists judged.
        remedy: What is shipped; empty for the model as it is.
    """
    result, number = found.result, len(found.trials)
    folds = SEARCHED in result.variants
    judged = SEARCHED if folds else remedy or found.remedy
    chosen = found.result.manifest["search"].get("folds", [judged])
    if not any(chosen):
        return f"Ship the model as it is: none of {number} trials was better on the cases that were chosen on."
    contrast = compare(result)[judged]
    where = "all cases, each held out once" if folds else judged_on(result)
    interval = _interval(found, contrast)
    if not remedy:
        tried = f"what each fold chose of {number} trials" if folds else f"{judged}, the best of {number} trials,"
        against = f"{tried} comes to {interval} against it on {where}"
        yet = _although_better(result) if contrast.difference < 0 else ""
        return f"Ship the model as it is; {against}: {contrast.verdict.short}{yet}."
    if contrast.verdict.kind in {"better", "worse"}:
        verdict = f"{contrast.verdict.kind} than the model as it is"
        return f"Ship the model with {remedy}: {verdict} on {where} ({interval}), found in {number} trials."
    return (
        f"Ship the model with {remedy}, the best guess of {number} trials: against the model as it is on {where} "
        f"({interval}), {contrast.verdict.short}."
    )


def _although_better(result: Result) -> str:
    """Say why the model as it is is shipped although the mean of what was found is better."""
    advice = recommend(networks(result))
    if advice.choice.variant != result.baseline:
        return " (yet no trial was better than it over all folds)"
    if advice.reason == "unchanged":
        return " (so small a gain is taken not to matter)"
    return f" (yet at its {advice.choice.rule} it does as well)"


def judged_on(result: Result) -> str:
    """Return what the finalists were judged on, in words."""
    return "test cases that no strength was chosen by" if result.test.sizes else "validation cases"


def afterwards(found: SearchResult, clock: Clock, *, hurried: bool, cut: tuple[int, int] | None) -> tuple[str, ...]:
    """Say how the time was kept, and what more of it would buy.

    Args:
        found: The search, its finalists judged.
        clock: The time that there was.
        hurried: Whether a round of trials was ended.
        cut: Epochs of the finalists and of the trials, where they differ.
    """
    number, seeds = len(found.trials), len(found.result.seeds)
    said = [f"In {clock.spent / 60:.1f} of {clock.minutes:g} minutes: {number} trials, judged with {seeds} seeds."]
    if hurried:
        said.append("The last round took longer than the one before it, and was ended so that the finalists be judged.")
    if cut is not None:
        said.append(
            f"In the time that was left, the finalists were trained for {cut[0]} epochs, where trials had {cut[1]}."
        )
    if clock.spent > 1.1 * clock.seconds:
        said.append(
            "That is longer than asked: the least that has to be done (a few trials, their judging with the fewest "
            "seeds, the report) did not fit, or the machine became slower meanwhile."
        )
    everything = number >= MOST_TRIALS and seeds >= MOST_SEEDS
    if clock.spent < 0.9 * clock.seconds and not everything:
        said.append("What was left of the time was too short for one more seed.")
    late = float((found.result.runs["best_epoch"] >= found.result.runs["epochs"]).mean())
    if late > 0.5 and int(found.result.runs["epochs"].max()) >= MOST_EPOCHS:
        said.append(
            f"Most runs were still getting better when they ended, after {MOST_EPOCHS:,} epochs, the most that are "
            "tried: compile the model with a larger learning rate."
        )
    elif late > 0.5:
        said.append("Most runs were still getting better when they ended: more time would go into longer training.")
    elif everything:
        said.append("So many trials and seeds are the most that it takes: more time would change nothing.")
    else:
        said.append(f"Twice the time would try about {2 * number} strengths and judge with more seeds.")
    return tuple(said)
