"""English texts of the section on a search."""

TEXTS: dict[str, str] = {
    "title.strengths": "How the strength was found",
    "lead.strengths": "{trials}, with {seeds} each, were compared on the validation {score} at the {rule} epoch "
    "(smaller is better). These scores are for choosing: the best of many looks better than it is. The variants of "
    "this report were trained again, with seeds that no trial had seen.",
    "count.trials.one": "one trial",
    "count.trials.many": "{number} trials",
    "strengths.best": "Best: {remedy} ({score}).",
    "strengths.strongest": "Strongest regularization within one standard error of it: {remedy} ({score}).",
    "strengths.as_it_is": "the model as it is",
    "strengths.edge": "The best {name} lies at the {side} edge of what was searched ({values}): better values may lie "
    "beyond.",
    "strengths.folds": "Each fold chose for itself: {chosen}.",
    "side.lower": "lower",
    "side.upper": "upper",
    "diagram.strengths": "Strength against validation score",
    "strengths.caption": "A mark is a trial; bars are one standard deviation over its seeds. The dotted line is the "
    "model as it is, with the same band.",
}
