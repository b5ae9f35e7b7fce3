"""English texts of the first screen."""

TEXTS: dict[str, str] = {
    "title.decision": "What to ship",
    "decision.bottom": "Bottom line",
    "decision.action": "Do this",
    "decision.risk": "Could be lost",
    "decision.claim": "Claim",
    "decision.says": "The bound is for {claim}, with {confidence} confidence. Scores are {score} ({better}) on the "
    "{part} cases. The score of what was chosen for looking best flatters; the bound allows for the choice.",
    "decision.says_plain": "Nothing is claimed of other seeds. Scores are {score} ({better}) on the {part} cases, "
    "given this training set.",
    "answer.what": "Difference from {baseline} in {score} ({better}).",
    "answer.together": "All intervals of the verdicts hold at once with {confidence} confidence.",
    "answer.no_intervals": "Without intervals: one seed shows no variation.",
    "answer.thin": "Thick: at the {rule} epoch, where the verdicts are. Thin: at the {other} epoch.",
    "answer.baseline": "Recommended: {baseline} itself, at 0.",
    "answer.left": "{count} more variants are in the table of comparisons.",
    "answer.recommended": "recommended",
    "answer.label": "Differences from {baseline} in {score} ({better}), variant by variant: {rows}. The table of "
    "comparisons has all numbers.",
    "answer.curves": "Held-out and training {score} (dotted) over epochs, every seed and their mean; the dashed line "
    "is where training should end, near epoch {epoch}.",
}
