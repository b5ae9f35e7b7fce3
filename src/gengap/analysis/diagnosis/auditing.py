"""The audit of a result: what else differs between variants, and what is wrong with its data and its design."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengap.analysis.cases import networks
from gengap.analysis.diagnosis.configurations import differences, scales_its_inputs
from gengap.analysis.findings.codes import Finding, Severity, found
from gengap.analysis.findings.wording import Message, Word
from gengap.analysis.summary import at_epoch
from gengap.analysis.tables import Column, ShownAsTable, Table
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

FEW_SEEDS = 9
FEW_CASES = 100
FEW_GROUPS = 20
NOTABLE_PENALTY = 0.01
"""Penalties below this share of the score change no ranking that could be told from noise."""
SHIFT_LEVEL = 1e-3
"""A shift of classes is reported below this p-value: with many splits and labels, .05 would cry wolf."""


LARGE_INPUTS = 10.0
"""Root mean square beyond which inputs are unscaled: first weights learn with its square as a factor of their rate."""


@dataclass(frozen=True, repr=False)
class Audit(ShownAsTable):
    """What an audit found.

    Attributes:
        findings: The findings, those about variants first.
    """

    findings: tuple[Finding, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that were found, each once, in order."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def table(self) -> Table:
        """The findings as a table."""
        columns = (Column("code", "code"), Column("subject", "subject"), Column("sentence", "finding"))
        rows = tuple((one.code, str(one.subject), one.sentence) for one in self.findings)
        return Table("Audit" if rows else "Audit: nothing found", columns, rows)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "The audit found nothing."


def audit(result: "Result", *, ignore: Sequence[str] = ()) -> Audit:
    """Look for what makes the comparisons of a result weaker than they look.

    Args:
        result: The result; what it does not know (models of other tools, say) is not audited.
        ignore: Codes that are left out.

    Returns:
        The findings, each with a code that `gengap.analysis.findings.codes.describe` explains.
    """
    check_is_result(result, "audit")
    result = networks(result)
    parts = (_confounds, _epochs, _decay, _shares, _penalty, _noise, _choosing, _data, _sizes)
    findings = [finding for part in parts for finding in part(result) if finding.code not in set(ignore)]
    return Audit(tuple(findings))


def _confounds(result: "Result") -> Iterator[Finding]:
    described = result.manifest.get("variants", {})
    baseline = described.get(result.baseline, {})
    for name in result.variants[1:]:
        variant = described.get(name, {})
        if variant.get("remedy"):
            continue  # a remedy changes what it says; composed ones are meant
        differs = differences(baseline.get("model"), variant.get("model"))
        counts = [one.get("parameters") for one in (baseline, variant)]
        if differs and None not in counts and counts[0] != counts[1] and not {"layers", "width"} & set(differs):
            differs["parameters"] = (f"{counts[0]:,d}", f"{counts[1]:,d}")
        if len(differs) > 1:
            parts = tuple(
                Message("difference", {"respect": Word(respect), "first": a, "second": b})
                for respect, (a, b) in differs.items()
            )
            yield found("GG301", name, "serious", baseline=result.baseline, count=len(differs), differences=parts)


def _epochs(result: "Result") -> Iterator[Finding]:
    described = result.manifest.get("variants", {})
    trained = {
        name: result.runs["epochs"].sel(variant=name).to_numpy()[~_diverged(result, name)]
        for name in result.variants
        if "epochs" in result.runs and not described.get(name, {}).get("stopping")
    }
    longest = {name: int(values.max()) for name, values in trained.items() if values.size and values.max() > 0}
    if len(set(longest.values())) > 1:
        shown = tuple(Message("epochs_of", {"variant": name, "epochs": many}) for name, many in longest.items())
        yield found("GG302", Word("all_variants"), "serious", epochs=shown)


def _diverged(result: "Result", variant: str) -> NDArray[np.bool_]:
    """Which runs were cut short because their loss was no longer finite."""
    if "status" not in result.runs:
        return np.zeros(result.runs.sizes["seed"], dtype=np.bool_)
    return np.char.startswith(result.runs["status"].sel(variant=variant).to_numpy().astype(str), "diverged")


def _decay(result: "Result") -> Iterator[Finding]:
    for name, variant in result.manifest.get("variants", {}).items():
        optimizer = ((variant.get("model") or {}).get("compile_config") or {}).get("optimizer")
        config = optimizer.get("config", {}) if isinstance(optimizer, Mapping) else {}
        if config.get("weight_decay") and "weight_decay" not in str(variant.get("remedy", "")):
            yield found("GG303", name, "info", strength=float(config["weight_decay"]))


def _shares(result: "Result") -> Iterator[Finding]:
    for name, variant in result.manifest.get("variants", {}).items():
        if variant.get("share", 1.0) < 1:
            yield found("GG304", name, "info", share=float(variant["share"]))


def _penalty(result: "Result") -> Iterator[Finding]:
    """Say where the loss that Keras prints includes a penalty: ranked by it, a variant is punished for its remedy."""
    if "penalty" not in result.history or "val_score" not in result.history:
        return
    for name in result.variants:
        columns = np.stack([at_epoch(result, name, one, "best") for one in ("val_score", "penalty")])
        known = columns[:, np.isfinite(columns).all(axis=0)]
        if not known.size:
            continue  # every run diverged
        score, penalty = map(float, known.mean(axis=1))
        if penalty > NOTABLE_PENALTY * score:
            yield found("GG305", name, "info", penalty=penalty, score=score, printed=score + penalty)


def _noise(result: "Result") -> Iterator[Finding]:
    """Say where noise never rests: scores and forecasts then hold one draw of it, and a comparison weighs that draw."""
    for name, variant in result.manifest.get("variants", {}).items():
        if layers := variant.get("noise_at_inference"):
            yield found("GG306", name, layers=", ".join(layers))


def _choosing(result: "Result") -> Iterator[Finding]:
    if result.validation.sizes and not result.test.sizes:
        yield found("GG310", Word("validation"))
    if result.test.sizes and not result.validation.sizes and result.manifest.get("origin") == "study":
        yield found("GG310.no_validation", Word("test"), "serious")


_ACROSS: dict[str, tuple[str, Severity]] = {
    "duplicates": ("GG320", "serious"),
    "near_duplicates": ("GG321", "warning"),
    "shared_groups": ("GG322", "warning"),
}


def _data(result: "Result") -> Iterator[Finding]:
    seen = (result.manifest.get("data") or {}).get("audit") or {}
    for what, (code, severity) in _ACROSS.items():
        for split, number in (seen.get(what) or {}).items():
            subject, other = ("test", "validation") if split == "test in validation" else (split, "train")
            if number:
                yield found(code, Word(subject), severity, count=int(number), other=Word(other))
            elif number is None and what == "near_duplicates":
                yield found("GG321.not_looked", Word(subject), "info", other=Word(other))
    for split, overlaps in (seen.get("time_overlap") or {}).items():
        if overlaps:
            yield found("GG323", Word(split.split()[0]))
    yield from _shifts(seen.get("answers") or {})
    yield from _scale(result, seen.get("scale"))


def _scale(result: "Result", largest: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Say where inputs are far from 1 and the baseline does not scale them itself."""
    model = (result.manifest.get("variants", {}).get(result.baseline) or {}).get("model")
    if largest is None or largest["rms"] <= LARGE_INPUTS or model is None or scales_its_inputs(model):
        return
    names = result.manifest["data"].get("feature_names") or ()
    place = largest["feature"]
    known = isinstance(place, str) or place < len(names)
    named = str(place if isinstance(place, str) else names[place]) if known else f"x[..., {place}]"
    yield found("GG325", Word("train"), feature=named, size=float(largest["rms"]))


def _shifts(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    train = answers.get("train", {})
    if "labels" not in train:
        return
    for split, held_out in answers.items():
        if split == "train" or "labels" not in held_out:
            continue
        labels = sorted({*train["labels"], *held_out["labels"]})
        counts = [
            [dict(zip(one["labels"], one["counts"], strict=True)).get(x, 0) for x in labels]
            for one in (train, held_out)
        ]
        p = float(stats.chi2_contingency(counts).pvalue) if len(labels) > 1 else 1.0
        if p < SHIFT_LEVEL:
            shares = [np.array(row) / sum(row) for row in counts]
            worst = int(np.argmax(np.abs(shares[0] - shares[1])))
            before, after = float(shares[0][worst]), float(shares[1][worst])
            yield found("GG324", Word(split), label=str(labels[worst]), share=after, before=before, p=p)


def _sizes(result: "Result") -> Iterator[Finding]:
    num_seeds = len(result.seeds)
    if num_seeds < FEW_SEEDS and len(result.variants) > 1 and resampling_of(result) is None:
        yield found("GG330", Word("all_variants"), seeds=num_seeds, enough=FEW_SEEDS)
    for name, split in result.splits.items():
        cases = split.sizes["sample"]
        groups = len(np.unique(split["group"])) if "group" in split.coords else cases
        if cases < FEW_CASES or groups < FEW_GROUPS:
            yield found("GG331", Word(name), cases=cases, groups=groups)
