"""English texts of the report."""

TEXTS: dict[str, str] = {
    # the page
    "page.title": "Study report",
    "page.headline": "{variants} variants × {seeds} seeds",
    "page.headline_one": "One variant × {seeds} seeds",
    "page.compared": "compared on {score}",
    "page.cases": "{n} {part} cases",
    "page.skip": "Skip to the findings",
    "page.contents": "Contents",
    "page.table": "{title}: table",
    "page.dark": "Dark",
    "page.light": "Light",
    "page.made": "Made by gengap {version}. This page is complete in itself: nothing is loaded from anywhere.",
    "page.synthetic": "Synthetic data: the cases were drawn by a generator, not observed.",
    "sort.hint": "Choose a column's head to sort by it.",
    "task.binary": "Binary classification",
    "task.multiclass": "Classification with several labels",
    "task.regression": "Regression",
    "part.train": "training",
    "part.validation": "validation",
    "part.test": "test",
    "rule.best": "best",
    "rule.last": "last",
    "smaller": "smaller is better",
    "larger": "larger is better",
    "score.log_loss": "log loss",
    "score.brier_score": "Brier score",
    "score.squared_error": "squared error",
    "score.auc": "area under the ROC curve",
    "score.bss": "Brier skill score",
    "curve.loss": "objective, without penalty",
    "curve.penalty": "penalty",
    "curve.accuracy": "accuracy",
    # findings
    "title.findings": "What was found",
    "lead.findings": "Verdicts first, then what weakens them. The sections below show what they rest on.",
    "tone.good": "good",
    "tone.bad": "bad",
    "tone.unsure": "open",
    "tone.note": "note",
    "skill.binary.positive": "At its last epoch {variant} is better than always forecasting the base rate: "
    "Brier skill score {skill}.",
    "skill.binary.negative": "At its last epoch {variant} is worse than always forecasting the base rate: "
    "Brier skill score {skill}.",
    "skill.multiclass.positive": "At its last epoch {variant} is better than always forecasting the shares of the "
    "labels: Brier skill score {skill}.",
    "skill.multiclass.negative": "At its last epoch {variant} is worse than always forecasting the shares of the "
    "labels: Brier skill score {skill}.",
    "skill.regression.positive": "At its last epoch {variant} is better than always forecasting the mean: "
    "skill in squared error {skill}.",
    "skill.regression.negative": "At its last epoch {variant} is worse than always forecasting the mean: "
    "skill in squared error {skill}.",
    "verdict.better": "{variant} is better than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.worse": "{variant} is worse than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.equivalent": "{variant} and {baseline} are equivalent within {margin}: it is better by {amount} in "
    "{score}, for {claim}.",
    "verdict.cannot_say": "Whether {variant} is better than {baseline} cannot be said: so far it is better by {amount} "
    "in {score}.",
    "kind.better": "better",
    "kind.worse": "worse",
    "kind.equivalent": "equivalent",
    "kind.cannot say": "cannot say",
    "claim.new": "new cases and new seeds",
    "claim.these": "these cases and new seeds",
    "needs.seeds": "It would take {seeds} seeds.",
    "needs.cases": "It would take {cases} cases.",
    "needs.both": "It would take {seeds} seeds and {cases} cases.",
    "needs.beyond": "No reasonable number of seeds and cases would settle it.",
    "caution.no_test": "There is no test split: the best epoch was chosen on the very cases that are scored here, "
    "which flatters every variant.",
    "caution.few_seeds": "Only {seeds} seeds: with fewer than {enough} the scatter between seeds is hardly known.",
    "caution.diverged": "{lost} of {runs} runs diverged; they count in no mean.",
    # comparison
    "title.comparison": "Comparison with the baseline",
    "lead.comparison": "Each variant minus {baseline} in {score} ({better}) on the {part} cases at the {rule} epoch, "
    "paired by seed and case, for {claim}. All intervals hold together at {confidence}.",
    "comparison.variant": "Variant",
    "comparison.verdict": "Verdict",
    "comparison.difference": "Difference [interval]",
    "comparison.picture": "Where it lies",
    "comparison.p": "p (Holm)",
    "comparison.wins": "Seeds won",
    "comparison.needs": "To settle it",
    # scores
    "title.scores": "Scores of every variant",
    "lead.scores": "Mean ± standard deviation over {seeds} seeds, at the best epoch (chosen on validation) and at the "
    "last. Skill is 1 for a perfect forecast and 0 for always saying the base rate; the gap is held-out minus "
    "training {score}.",
    "column.variant": "Variant",
    "column.rule": "At epoch",
    "column.epoch": "Epoch",
    "column.validation_score": "Validation {score}",
    "column.validation_skill": "Validation skill",
    "column.test_score": "Test {score}",
    "column.test_skill": "Test skill",
    "column.gap": "Gap",
    "column.parameters": "Parameters",
    "column.seconds": "Seconds",
    # learning curves
    "title.curves": "Learning curves",
    "lead.curves": "Thick lines are means over seeds, bands the pointwise 95 % interval of that mean, thin lines "
    "single runs. Move over the figure, or use the slider, to read values at an epoch.",
    "curves.figure": "Learning curves of the chosen variants over epochs",
    "curves.quantity": "Quantity",
    "curves.split": "Curves",
    "curves.heldout": "held-out",
    "curves.training": "training",
    "curves.both": "both",
    "curves.read": "Read at",
    "curves.read_best": "each run's best epoch",
    "curves.read_last": "its last epoch",
    "curves.read_epoch": "epoch",
    "curves.seeds": "every seed",
    "curves.variant": "Variant",
    "curves.epoch": "Epoch",
    "curves.values": "Values of the chosen variants",
    "curves.no_script": "The figure needs JavaScript; the values below do not.",
    # verification
    "title.verification": "Can the forecasts be trusted?",
    "lead.verification": "Forecasts of the {part} cases by the run with the median validation score of {variants}, at "
    "the {rule} epoch. Bands and bars are 95 % and hold for these runs and new cases.",
    "diagram.roc": "ROC curve",
    "caption.roc": "How many events are caught against how many non-events are called. The dotted diagonal is chance.",
    "diagram.performance": "Performance diagram",
    "caption.performance": "Towards the upper right is better. Grey curves have equal critical success index, dashed "
    "rays equal frequency bias; the star is the threshold of the largest index on these cases.",
    "diagram.attributes": "Attributes diagram",
    "caption.attributes": "Points on the diagonal are reliable; in the shaded area they add skill over climatology. "
    "Bars show where calibrated forecasts would lie. Below: how often each probability was forecast.",
    "diagram.reliability": "Reliability",
    "caption.reliability": "The curve is the best monotone recalibration. Inside the band, chance alone could explain "
    "its departure from the diagonal. MCB is what recalibration would gain, DSC what the forecast knows.",
    "diagram.top_label": "Reliability of the likeliest label",
    "caption.top_label": "Is the likeliest label right as often as its probability claims? Inside the band, chance "
    "alone could explain the departure from the diagonal.",
    "diagram.scatter": "Forecast and outcome",
    "caption.scatter": "On the diagonal the forecast was right.",
    # cases
    "title.cases": "How sure is it of a single case?",
    "lead.cases.binary": "Probabilities that {seeds} seeds of {variant} give to {part} cases: a dot per seed, a bar at "
    "their mean, a diamond at what happened (left no, right yes).",
    "lead.cases.multiclass": "Probabilities that {seeds} seeds of {variant} give to the label they find likeliest, for "
    "{part} cases: a dot per seed, a bar at their mean, a diamond on the right where that label was right.",
    "lead.cases.regression": "Forecasts of {seeds} seeds of {variant} for {part} cases: a dot per seed, a bar at their "
    "mean, a diamond at what happened.",
    "cases.case": "Case",
    "cases.outcome": "What happened",
    "cases.forecast": "Forecast ± sd of seeds",
    "cases.picture": "Seeds and outcome",
    "cases.number": "case {number}",
    "cases.claims": "forecast {label}",
    "cases.sure_right": "Sure and right",
    "cases.sure_wrong": "Sure and wrong",
    "cases.unsure": "Unsure",
    "cases.disagree": "Seeds disagree",
    "cases.distributions": "Predictive distributions",
    "cases.distribution": "Histogram of {members} members.",
    # weights
    "title.weights": "What is left of the weights",
    "lead.weights": "Norm of all kernels, and the share of their weights below {threshold} in size, at the last epoch; "
    "a dot per seed, a bar at their mean, the axis from 0 to the largest. Gradient training gives no exact zeros.",
    "weights.norm": "Norm",
    "weights.norm_picture": "Norm of every seed",
    "weights.sparsity": "Share near zero",
    "weights.sparsity_picture": "Share near zero of every seed",
    "diagram.sparsity": "Sparsity at other thresholds",
    "caption.sparsity": "Share of weights below each threshold, every run thin, means thick; the dotted line is the "
    "threshold of the table ({threshold}).",
    # provenance
    "title.provenance": "How it came about",
    "lead.provenance": "Everything that is needed to repeat the study.",
    "provenance.command": "The command that repeats it",
    "provenance.models": "Models",
    "provenance.settings": "Settings",
    "provenance.data": "Data",
    "provenance.versions": "Versions",
    "provenance.machine": "Machine",
    "provenance.created": "Created",
    "provenance.engine": "Engine",
    "provenance.backend": "Keras backend",
}
