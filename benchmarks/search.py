"""The same space, trials, epochs and seeds: gengap's search against KerasTuner and Optuna with Keras' own loop.

    GENGAP_IMDB=imdb.npz python -m benchmarks.search [--only reviews soundings digits lstm] [--quick]

A search is luck: of which trials it draws, and of the seeds that these train with. So each runs several times, with
other draws and other seeds, and what it has found at any time is not read off the losses that it chose by, the lowest
of many: the trial that leads at that time is trained anew, with ten seeds that no search has used, and its validation
loss is the search's loss then, in the mean over the repeats. "To the same loss" divides the times at which two searches
come to the higher of the losses that they end at. What each chose in the end is judged on the test split, case by case.

Every search has a process and one thread of its own. Times are of the processor, which other work on the machine
lengthens less than those by the wall. `--searches` runs what is not there yet and keeps it; `--judge` trains
anew what led, and writes the page. KerasTuner is raced where it is installed (`keras-tuner`, `six`, `grpcio`).
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
from benchmarks.machine import machine
from benchmarks.search_contestants import OWN, RIVALS, SEEDS, Searched, Strengths, as_arrays
from benchmarks.search_tasks import TASKS, Task
from benchmarks.sections import put_section
from numpy.typing import NDArray

import gengap as gg

RESULTS = Path(__file__).parent / "results" / "search.json"
PAGE = Path(__file__).parents[1] / "docs" / "search.md"
TRIALS = 24
JUDGES = range(1000, 1010)
AT_ONCE = 8
"""Strengths that are judged in one go: runs of the reviews have 160,000 weights."""
MARGIN = 0.05
"""Nats of test loss by which a choice may be worse."""
REPEATS = {
    **dict.fromkeys(OWN, 5),
    "keras-tuner, hyperband": 3,
    **dict.fromkeys(("optuna, TPE", "keras-tuner, random", "keras-tuner, bayesian"), 1),
}
"""How often each is run; the fastest of the rivals several times, as a search of all epochs takes minutes."""
FEWER = {("reviews", "keras-tuner, random"): 0, ("reviews", "keras-tuner, bayesian"): 0}

Floats = NDArray[np.float64]
Search = dict[str, Any]
"""A `Searched` as it is kept, with `task`, `who`, `repeat` and the machine's `load`; of test losses the mean."""


def keep(path: Path, found: Sequence[Search]) -> None:
    """Add searches to a file; one that is there already is replaced."""
    known = {(one["task"], one["who"], one["repeat"]): one for one in read(path)}
    known |= {(one["task"], one["who"], one["repeat"]): one for one in found}
    write(path, {**_all(path), "searches": list(known.values())})


def write(path: Path, kept: Mapping[str, Any]) -> None:
    """Write everything down, a search a line."""
    above = json.dumps({name: value for name, value in kept.items() if name != "searches"}, indent=1)
    lines = ",\n".join(json.dumps(one) for one in kept["searches"])
    opening = above.removesuffix("}").rstrip() + ("," if len(kept) > 1 else "")
    path.write_text(f'{opening}\n "searches": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def read(path: Path) -> list[Search]:
    """Return the searches of a file."""
    found: list[Search] = _all(path).get("searches", [])
    return found


def _all(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def run(path: Path, names: Sequence[str], whos: Sequence[str]) -> None:
    """Run the searches that a file lacks, each in a process of its own, which remembers nothing of the cases."""
    for repeat in range(max(REPEATS.values())):
        for name in names:
            for who in whos:
                there = {(one["task"], one["who"], one["repeat"]) for one in read(path)}
                if repeat < FEWER.get((name, who), REPEATS[who]) and (name, who, repeat) not in there:
                    command = [sys.executable, "-m", "benchmarks.search", "--one", name, who, str(repeat)]
                    subprocess.run([*command, "--into", str(path)], check=False)


def run_one(path: Path, name: str, who: str, repeat: int) -> None:
    """Run one search, and keep it."""
    try:
        found = (OWN | RIVALS)[who](TASKS[name](), TRIALS, repeat)
    except ImportError as error:
        print(f"{who} is not raced: {error}")
        return
    load = os.getloadavg()[0]
    print(f"{name:10} {who:24} {repeat}: {found.processor:6.1f} s of processor, load {load:.1f}", flush=True)
    keep(path, [{"task": name, "who": who, "repeat": repeat, **vars(found), "load": load}])


def judge(task: Task, searches: Sequence[Search]) -> list[Search]:
    """Return the searches with what was true of the trials that led them, and of what they chose.

    Each gets `losses`, the seconds at which a trial took the lead and its validation loss with fresh seeds, and
    `test_losses`, the loss of every test case under its choice.
    """
    read_as = [Searched(*(one[name] for name in ("seconds", "processor", "ends", "chosen"))) for one in searches]
    wanted = list(dict.fromkeys(tuple(led) for one in read_as for _, led in one.leaders))
    finals = list(dict.fromkeys(tuple(one.chosen) for one in read_as))
    validation, _ = trained_anew(task, wanted)
    _, test = trained_anew(task, finals, on_test=True)
    judged = []
    for kept, one in zip(searches, read_as, strict=True):
        losses = [(at, validation[tuple(led)]) for at, led in one.leaders]
        judged.append({**kept, "losses": losses, "test_losses": test[tuple(one.chosen)]})
    return judged


def trained_anew(
    task: Task, wanted: Sequence[Strengths], *, on_test: bool = False
) -> tuple[dict[Strengths, float], dict[Strengths, list[float]]]:
    """Train strengths with seeds that no search has used; return their validation loss, and the loss of test cases."""
    train, validation, _ = task.data
    losses: dict[Strengths, float] = {}
    of_cases: dict[Strengths, list[float]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        models = [task.build(*one) for one in some for _ in JUDGES]
        fit: dict[str, Any] = {"epochs": task.epochs, "batch_size": task.batch_size, "training_score": False}
        fit |= {"seeds": [*JUDGES] * len(some), "validation_data": (validation.x, validation.y)}
        told = gg.fit_many(models, train.x, train.y, restore_best_weights=True, **fit)
        for place, one in enumerate(some):
            own = slice(place * len(JUDGES), (place + 1) * len(JUDGES))
            losses[one] = float(np.mean([min(history.history[task.monitor]) for history in told[own]]))
            if on_test:
                of_cases[one] = np.mean([losses_on_test(task, model) for model in models[own]], axis=0).tolist()
    return losses, of_cases


def losses_on_test(task: Task, model: Any) -> Floats:
    """Return the log loss of every test case."""
    x, y = as_arrays(task.data[2])[0], task.data[2].y
    p = model.predict(x, verbose=0, batch_size=1024).astype(float)
    right = p[np.arange(len(y)), y] if p.shape[1] > 1 else np.where(y == 1, p[:, 0], 1 - p[:, 0])
    return np.asarray(-np.log(np.maximum(right, 1e-7)))


Curve = Sequence[tuple[float, float]]
"""Seconds and loss of what led from then on."""


def time_to(curves: Sequence[Curve], loss: float) -> float:
    """Return when the mean over searches of the loss of what leads is first as low; infinite where it never is."""
    moments = sorted({at for curve in curves for at, _ in curve})
    begun = max(curve[0][0] for curve in curves)
    for moment in moments:
        if moment >= begun and mean_at(curves, moment) <= loss + 1e-12:
            return moment
    return float("inf")


def mean_at(curves: Sequence[Curve], moment: float) -> float:
    """Return the mean over searches of the loss of what leads at a moment."""
    return float(np.mean([[loss for at, loss in curve if at <= moment][-1] for curve in curves]))


def end(curves: Sequence[Curve]) -> float:
    """Return the mean loss of what leads in the end."""
    return float(np.mean([curve[-1][1] for curve in curves]))


def to_the_same_loss(own: Sequence[Curve], rival: Sequence[Curve]) -> tuple[float, float, float]:
    """Return how many times sooner gengap comes to the higher of two final losses, with a 95 % bootstrap interval.

    The interval draws repeats of both with replacement: it says how far the ratio depends on which were run.
    """

    def ratio(a: Sequence[Curve], b: Sequence[Curve]) -> float:
        loss = max(end(a), end(b))
        return time_to(b, loss) / time_to(a, loss)

    random = np.random.default_rng(0)
    drawn = [ratio(*([side[n] for n in random.integers(0, len(side), len(side))] for side in (own, rival)))
             for _ in range(1000)]  # fmt: skip
    low, high = np.percentile(drawn, [2.5, 97.5])
    return ratio(own, rival), float(low), float(high)


def difference(own: Sequence[Search], rival: Sequence[Search]) -> tuple[float, float]:
    """Return gengap's test loss minus a rival's, and half its 95 % interval over cases and, where known, repeats."""
    a, b = (np.array([one["test_losses"] for one in side]) for side in (own, rival))
    cases = a.mean(axis=0) - b.mean(axis=0)
    variance = cases.var(ddof=1) / len(cases)
    variance += sum(side.mean(axis=1).var(ddof=1) / len(side) for side in (a, b) if len(side) > 1)
    return float(cases.mean()), 1.96 * float(variance) ** 0.5


def compared(searches: Sequence[Search]) -> list[dict[str, Any]]:
    """Return a row for each rival on a task and each of gengap's searches."""
    by = {who: [one for one in searches if one["who"] == who] for who in (*OWN, *RIVALS)}
    rows = []
    for who in (who for who in RIVALS if by[who]):
        for own in (own for own in OWN if by[own]):
            sides = [by[own], by[who]]
            seconds = [float(np.mean([one["processor"] for one in side])) for side in sides]
            curves = [[one["losses"] for one in side] for side in sides]
            rows.append({
                "rival": who, "gengap": own, "repeats": [len(side) for side in sides], "seconds": seconds,
                "whole": seconds[1] / seconds[0], "ends": [end(side) for side in curves],
                "same_loss": to_the_same_loss(*curves), "on_test": difference(*sides),
            })  # fmt: skip
    return rows


READING = f"""Seconds are of the processor, one thread, {TRIALS} trials of {SEEDS} seeds, in the mean over the repeats,
whose number stands in brackets. "Halting" is `pruning=3`, as Hyperband halts, too. "Whole" divides the seconds of whole
searches; gengap's hold the judging of its finalists, which rivals do not do. "Same loss" divides the times until a
search has found strengths as good as the worse of the two find in the end: a trial that leads is trained anew with
{len(JUDGES)} seeds that no search has used, and its validation loss counts, in the mean over the repeats; in brackets
where 95 % of 1,000 bootstrap samples of the repeats lie. The last column is the test loss of what was chosen, likewise
trained anew: gengap's minus the rival's, with a 95 % interval over cases and repeats. Not worse is what ends below
{MARGIN:g}."""
HEADINGS = (
    "data",
    "rival",
    "its seconds",
    "gengap",
    "its seconds",
    "whole",
    "same loss",
    "losses at the end, its and gengap's",
    "difference on test",
)


def section(races: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return what was found as a table in Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS)]
    for name, rows in races.items():
        for row in rows:
            mean, half = row["on_test"]
            worse = "not worse" if mean + half <= MARGIN else "not shown to be not worse"
            ratio, low, high = row["same_loss"]
            several = min(row["repeats"]) > 1
            lines.append((
                name, f"{row['rival']} ({row['repeats'][1]})", f"{row['seconds'][1]:.0f}",
                f"{'halting' if 'pruning' in row['gengap'] else 'all epochs'} ({row['repeats'][0]})",
                f"{row['seconds'][0]:.1f}",
                f"{row['whole']:.1f}", f"{ratio:.1f} [{low:.1f}, {high:.1f}]" if several else "",
                f"{row['ends'][1]:.4f}, {row['ends'][0]:.4f}",
                f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]: {worse}",
            ))  # fmt: skip
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), "", READING])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [name for name in TASKS if name != "reviews" or "GENGAP_IMDB" in os.environ]
    parser.add_argument("--only", nargs="*", default=known, choices=list(TASKS))
    parser.add_argument("--who", nargs="*", default=[*OWN, *RIVALS], choices=[*OWN, *RIVALS])
    parser.add_argument("--into", type=Path, default=RESULTS, help="file that keeps the searches")
    parser.add_argument("--one", nargs=3, metavar=("TASK", "WHO", "REPEAT"), help="run this search only")
    parser.add_argument("--searches", action="store_true", help="run searches only")
    parser.add_argument("--judge", action="store_true", help="judge what is there only")
    parser.add_argument("--quick", action="store_true", help="4 trials of each; nothing is kept")
    options = parser.parse_args()
    if options.one:
        name, who, repeat = options.one
        run_one(options.into, name, who, int(repeat))
        return
    if options.quick:
        for name in options.only:
            task = TASKS[name]()
            for who in options.who:
                found = (OWN | RIVALS)[who](task, 4, 0)
                print(f"{name:10} {who:24} {found.processor:6.1f} s of processor for 4 trials", flush=True)
        return
    if not options.judge:
        run(options.into, options.only, options.who)
    if options.searches:
        return
    races = dict(_all(options.into).get("races", {}))
    for name in options.only:
        judged = judge(TASKS[name](), [one for one in read(options.into) if one["task"] == name])
        races[name] = compared(judged)
        keep(options.into, [{**one, "test_losses": float(np.mean(one["test_losses"]))} for one in judged])
    races = {name: races[name] for name in TASKS if name in races}
    kept = {"machine": machine("keras", "torch", "optuna"), "margin": MARGIN, "races": races}
    write(options.into, {**kept, "searches": read(options.into)})
    print(section(races))
    if options.into == RESULTS:
        put_section(PAGE, "search.py", section(races))


if __name__ == "__main__":
    main()
