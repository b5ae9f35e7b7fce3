"""English texts of the report."""

TEXTS: dict[str, str] = {
    # the page
    "page.title": "Study report",
    "page.headline": "{variants} × {seeds}",
    "count.variants.one": "one variant",
    "count.variants.many": "{number} variants",
    "count.seeds.one": "one seed",
    "count.seeds.many": "{number} seeds",
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
    "score.crps_ensemble": "CRPS",
    "score.squared_error": "squared error",
    "score.loss": "loss",
    "score.auc": "area under the ROC curve",
    "score.roc_auc": "area under the ROC curve",
    "score.brier_skill_score": "Brier skill score",
    "score.squared_error_skill_score": "squared error skill score",
    "curve.loss": "objective, without penalty",
    "curve.penalty": "penalty",
    "curve.accuracy": "accuracy",
    # decision
    "title.decision": "What to ship",
    "decision.bottom": "Bottom line",
    "decision.action": "Do this",
    "decision.risk": "Could be lost",
    "decision.claim": "Claim",
    "decision.says": "The bound is for {claim}, with {confidence} confidence. Scores are {score} ({better}) on the "
    "{part} cases; what is lost, and by how much something is better or worse, counts upwards. "
    "The score of what was chosen for looking best flatters; the bound allows for the choice.",
    "decision.says_plain": "Nothing is claimed of other seeds. Scores are {score} ({better}) on the {part} cases, "
    "given this training set; what is lost, and by how much something is better or worse, counts upwards.",
    # findings
    "title.findings": "What was found",
    "lead.findings": "Numbers in brackets are 95 % intervals or, of a comparison, hold together at {confidence}. All "
    "of it is given this training set: with another, equal variants may look different. The sections below show what "
    "these sentences rest on.",
    "lead.findings_plain": "Numbers in brackets are 95 % intervals. All of it is given this training set: with "
    "another, "
    "equal variants may look different. The sections below show what these sentences rest on.",
    "tone.good": "good",
    "tone.bad": "bad",
    "tone.unsure": "open",
    "tone.note": "note",
    "the.baseline": "the baseline",
    "the.other": "{name}",
    "at.best": "at the best epoch",
    "at.last": "at the last epoch",
    "list.colon": ": ",
    "list.clause": "; ",
    "list.sentence": " ",
    "it": "it",
    "baseline.says": "{claim}, given this training set.",
    "leader.says": "Of the variants tried, {variant} did best on validation: {claim}, given this training set.",
    "onset.found": "{subject} overfits from epoch {epoch} [{low}, {high}]",
    "onset.open": "{subject} may overfit from epoch {epoch} [{low}, never]",
    "onset.possible": "{subject} shows no overfitting within {epochs} epochs (the seeds would allow it from epoch "
    "{low} on)",
    "onset.none": "{subject} shows no overfitting within {epochs} epochs",
    "onset.one_seed": "{subject} is best at epoch {epoch} in the one run that there is",
    "skill.positive": "{rule} {subject} is better than always forecasting {reference} ({name}: {skill})",
    "skill.negative": "{rule} {subject} is worse than always forecasting {reference} ({name}: {skill})",
    "skill.unclear": "{rule} {subject} cannot be told from always forecasting {reference} ({name}: {skill})",
    "reference.binary": "the base rate",
    "reference.multiclass": "the shares of the labels",
    "reference.regression": "the mean",
    "skill_name.binary": "Brier skill score, larger is better",
    "skill_name.multiclass": "Brier skill score, larger is better",
    "skill_name.regression": "skill in squared error, larger is better",
    "verdict.better": "{variant} is better than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.worse": "{variant} is worse than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.equivalent": "{variant} and {baseline} are equivalent within {margin}: it is better by {amount} in "
    "{score}, for {claim}.",
    "verdict.cannot_say": "Whether {variant} is better than {baseline} cannot be said, given this training set: so far "
    "it is better by {amount} in {score}.",
    "verdict.cannot_say_behind": "Whether {variant} is better than {baseline} cannot be said, given this training set: "
    "so far it is worse by {amount} in {score}.",
    "verdict.lost": "{variant} cannot be compared with {baseline}: no pair of runs came to an end.",
    "verdict.nothing": "Nothing helps, given this training set: no variant is better than {baseline} {rule}.",
    "verdict.none_sure": "No variant is shown to help {rule}, given this training set: with {seeds} and {cases} "
    "cases no "
    "difference from {baseline} in {score} is sure.",
    "verdict.none_sure_curves": "No variant is shown to help {rule}, given this training set: with {seeds} no "
    "difference from {baseline} in {score} is sure.",
    "verdict.others_open": "With {seeds} and {cases} cases it cannot be said whether the other {count} variants "
    "differ from {baseline}, given this training set.",
    "verdict.others_open_curves": "With {seeds} it cannot be said whether the other {count} variants differ from "
    "{baseline}, given this training set.",
    "verdict.nearest": "Of those that are ahead so far, {variant} is the nearest to a verdict. {needs}",
    "verdict.none_ahead": "None of these is ahead of {baseline} so far, given this training set.",
    "other.better_one": "Read {rule} instead, {variant} is better than {baseline} by {amount} in {score}, given this "
    "training set. That describes; the verdicts were declared for the other reading.",
    "other.better": "Read {rule} instead, {count} variants are better than {baseline}, most of all {variant}: by "
    "{amount} in {score}, given this training set. That describes; the verdicts were declared for the other reading.",
    "other.worse_one": "Read {rule} instead, {variant} is worse than {baseline} by {amount} in {score}, given this "
    "training set. That describes; the verdicts were declared for the other reading.",
    "other.worse": "Read {rule} instead, {count} variants are worse than {baseline}, most of all {variant}: by "
    "{amount} in {score}, given this training set. That describes; the verdicts were declared for the other reading.",
    "list.comma": ", ",
    "kind.better": "better",
    "kind.worse": "worse",
    "kind.equivalent": "equivalent",
    "kind.cannot say": "cannot say",
    "claim.new": "new cases and new seeds, given this training set",
    "claim.these": "these cases and new seeds, given this training set",
    "needs.seeds": "It would take {seeds} seeds.",
    "needs.cases": "It would take {cases} cases.",
    "needs.both": "It would take {seeds} seeds and {cases} cases.",
    "needs.beyond": "No reasonable number of seeds and cases would settle it.",
    "caution.no_test": "There is no test split: the best epoch was chosen on the very cases that are scored here, "
    "which flatters every variant.",
    "caution.one_seed": "One seed only: nothing can be said about what another seed would give.",
    "caution.few_seeds": "Only {seeds} seeds: with fewer than {enough} the scatter between seeds is hardly known.",
    "caution.diverged": "{lost} of {runs} runs diverged and count in no mean: {where}.",
    "caution.unfinished": "Still improving at the end, so that longer training may change the picture: {variants}.",
    "caution.serious": "{title} ({code}): {subject}, {sentence}.",
    # comparison
    "title.comparison": "Comparison with the baseline",
    "lead.comparison": "Each variant minus {baseline} in {score} ({better}) on the {part} cases, paired by seed and "
    "case. The verdict is about the {rule} epoch and {claim}; all its intervals hold together at {confidence}. The "
    "other epoch (thin) is for description.",
    "lead.comparison_one": "Each variant minus {baseline} in {score} ({better}) on the {part} cases, paired by seed "
    "and case, for {claim}. All intervals hold together at {confidence}.",
    "comparison.variant": "Variant",
    "comparison.verdict": "Verdict, given this training set",
    "comparison.best": "At the best epoch",
    "comparison.last": "At the last epoch",
    "comparison.difference": "Difference",
    "comparison.picture": "Where it lies",
    "comparison.p": "p (Holm)",
    "comparison.wins": "Seeds won",
    "comparison.needs": "To settle it",
    "short.both": "{seeds} seeds and {cases} cases",
    "short.seeds": "{seeds} seeds",
    "short.cases": "{cases} cases",
    "short.beyond": "more than is reasonable",
    # scores
    "title.scores": "Scores of every variant",
    "lead.scores": "Mean ± standard deviation over {seeds}, given this training set, at the best epoch (chosen on "
    "validation) and at the last.",
    "lead.scores_one": "The scores of the one run of each variant, given this training set, at the best epoch "
    "(chosen on validation) and at "
    "the last.",
    "lead.skill": "Skill is 1 for a perfect forecast and 0 for always forecasting {reference}.",
    "lead.gap": "The gap is held-out minus training {score}.",
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
    "lead.curves": "Thick lines are means over seeds on held-out cases, dotted ones on training cases; bands are the "
    "pointwise 95 % interval of the mean, thin lines single runs, circles mark where each run is read. Move over the "
    "figure, or use the slider, to read values at an epoch.",
    "curves.figure": "Learning curves of the chosen variants over epochs",
    "curves.quantity": "Quantity",
    "curves.split": "Curves",
    "curves.heldout": "held-out",
    "curves.training": "training",
    "curves.both": "both",
    "curves.read": "Read at",
    "curves.read_best": "each run's best epoch",
    "curves.read_last": "last epoch",
    "curves.read_epoch": "slider",
    "curves.seeds": "every seed",
    "curves.variant": "Variant",
    "curves.epoch": "Epoch",
    "curves.values": "Values of the chosen variants",
    "curves.no_script": "The figure and its values need JavaScript; the tables of this page do not.",
    # stopping
    "title.stopping": "Early stopping, afterwards",
    "lead.stopping": "What stopping early would have done, computed from the stored epochs: nothing is trained "
    "again. A run stops after so many epochs without an improvement on validation, and the epoch that was best until "
    "then is kept. Scores are {score} on the {part} cases, mean ± standard deviation over seeds; ranks are of means "
    "and no verdicts.",
    "stopping.patience": "Patience, in epochs",
    "stopping.min_delta": "Smallest improvement that counts",
    "stopping.last": "Last epoch",
    "stopping.best": "Best epoch",
    "stopping.stopped": "With stopping",
    "stopping.rank": "Rank",
    "stopping.stops": "Stops at",
    "stopping.saved": "Epochs saved",
    "stopping.first": "First: {last} at the last epoch, {best} at the best epoch, {stopped} with this stopping rule.",
    "stopping.validation": "These are the validation cases, on which the epochs are chosen: the last epoch is at a "
    "disadvantage.",
    # verification
    "title.verification": "Can the forecasts be trusted?",
    "lead.measures.binary": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for new cases "
    "and new seeds, given this training set. AUC: how well events are told from non-events (0.5 is chance). Brier "
    "score: mean squared error "
    "of the probability (always forecasting the base rate: {climatology}). Brier skill score: the share of that "
    "which is removed. Miscalibration is what the Brier score would lose by recalibration, discrimination what it "
    "owes to knowledge.",
    "lead.measures.multiclass": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for new "
    "cases and new seeds, given this training set. Brier score: squared error of the probabilities, summed over "
    "labels (always forecasting "
    "the shares of the labels: {climatology}); the skill score is the share of that which is removed.",
    "lead.measures.regression": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for new "
    "cases and new seeds, given this training set. Always forecasting the mean has the squared error {climatology}; "
    "skill is the share of "
    "that which is removed.",
    "measure.roc_auc": "AUC",
    "measure.brier_score": "Brier score",
    "measure.brier_skill_score": "Skill",
    "measure.squared_error_skill_score": "Skill",
    "measure.miscalibration": "Miscalibration",
    "measure.discrimination": "Discrimination",
    "measure.accuracy": "Accuracy",
    "measure.squared_error": "Squared error",
    "measure.absolute_error": "Absolute error",
    "lead.verification": "Below, the run with the median validation score of {variants}: bands and bars are 95 % and "
    "hold for these runs and new cases.",
    "diagram.roc": "ROC curve",
    "caption.roc": "How many events are caught against how many non-events are called. The dotted diagonal is chance.",
    "diagram.performance": "Performance diagram",
    "caption.performance": "Towards the upper right is better. Grey curves have equal critical success index, dashed "
    "rays equal frequency bias; the star is the threshold of the largest index on these cases.",
    "diagram.attributes": "Attributes diagram",
    "caption.attributes": "Points on the diagonal are reliable; in the shaded area they add skill over climatology. "
    "Bars show where calibrated forecasts would lie. Below: how often each probability was forecast.",
    "diagram.reliability": "Reliability",
    "caption.reliability": "The curve is the best monotone recalibration. Inside the band, chance alone could "
    "explain its departure from the diagonal. MCB is what recalibration would gain, DSC what the forecast knows.",
    "diagram.top_label": "Reliability of the likeliest label",
    "caption.top_label": "Is the likeliest label right as often as its probability claims? Inside the band, chance "
    "alone could explain the departure from the diagonal.",
    "diagram.scatter": "Forecast and outcome",
    "caption.scatter": "On the diagonal the forecast was right.",
    "caption.some": "{drawn} of {number} cases are drawn.",
    "caption.unweighted": "Every case counts once here; the scores of this page are weighted by `sample_weight`.",
    # cases
    "title.cases": "How sure is it of a single case?",
    "lead.cases.binary": "Probabilities that {seeds} seeds of {variant} give to {part} cases: a dot per seed, a bar "
    "at their mean, a diamond at what happened (left no, right yes).",
    "lead.cases.multiclass": "Probabilities that {seeds} seeds of {variant} give to the label they find likeliest, "
    "for {part} cases: a dot per seed, a bar at their mean, a diamond on the right where that label was right.",
    "lead.cases.regression": "Forecasts of {seeds} seeds of {variant} for {part} cases: a dot per seed, a bar at "
    "their mean, a diamond at what happened.",
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
    "cases.of": "One network of {variant} is asked many times, each time with other noise switched on: how far its "
    "answers spread.",
    "cases.distribution": "Histogram of {members} members.",
    "cases.happened": "What happened: {outcome}.",
    # noise
    "title.noise": "Does its doubt find its errors?",
    "lead.noise": "The network above was trained with dropout of {trained}. How much of it serves best when the "
    "network is asked is another matter: the rate {chosen} was chosen on validation, among those of the figure.",
    "noise.quantity": "On {part} cases",
    "noise.before": "rate of training, {rate}",
    "noise.after": "chosen rate, {rate}",
    "noise.score": "{score} of the mean forecast (smaller is better)",
    "noise.spread": "mean spread of the answers",
    "noise.monotonicity": "share of steps at which the score falls as doubtful cases are set aside (1 is best)",
    "noise.discard": "mean gain in score of such a step",
    "noise.detection": "how well doubt finds wrong decisions (AUC; 0.5 knows nothing)",
    "noise.seeds": "share of other seeds' forecasts inside the central 90 % of the answers",
    "noise.ratio": "spread over error (SSRAT, 1 is right)",
    "noise.pit": "departure from a flat PIT histogram (PITD, 0 is right)",
    "noise.coverage": "outcomes inside the central 90 % of the answers",
    "noise.width": "width of the central 90 %",
    "noise.deterministic": "the forecast without noise",
    "noise.trained_rates": "the rates of training",
    "noise.helps": "The chosen rate helps: gain in {score} over {reference} {gain} on {part}.",
    "noise.harms": "No rate helps: the chosen one is worse than {reference}, gain in {score} {gain} on {part}.",
    "noise.open": "No rate is shown to help: gain in {score} over {reference} {gain} on {part}.",
    "noise.lowest": "The best value, {value}, is the smallest that was tried: a smaller one may be better still.",
    "noise.highest": "The best value, {value}, is the largest that was tried: a larger one may be better still.",
    "diagram.noise": "The noise at inference, on validation",
    "caption.noise": "Gain in {score} over {reference}, with pointwise 95 % intervals; above zero is better.",
    # weights
    "title.weights": "What is left of the weights",
    "lead.weights": "Norm of all kernels, and the share of their weights below {threshold} in size, at the last "
    "epoch; a dot per seed, a bar at their mean, the axis from 0 to the largest. Gradient training gives no exact "
    "zeros.",
    "weights.norm": "Norm",
    "weights.norm_picture": "Norm of every seed",
    "weights.sparsity": "Share near zero",
    "weights.sparsity_picture": "Share near zero of every seed",
    "diagram.sparsity": "Sparsity at other thresholds",
    "caption.sparsity": "Share of weights below each threshold, every run thin, means thick; the dotted line is the "
    "threshold of the table ({threshold}).",
    # audit
    "title.audit": "Diagnosis and audit",
    "lead.audit": "What the learning curves show of each variant, given this training set, and what else could "
    "explain a difference; the "
    "weighty first. In Python: `gg.diagnose(result)` and `gg.audit(result)`.",
    "audit.advice": "What to do",
    "audit.meaning": "What it means",
    "severity.serious": "serious",
    "severity.warning": "warning",
    "severity.info": "note",
    # provenance
    "title.provenance": "How it came about",
    "lead.provenance": "Everything that is needed to repeat the study.",
    "lead.provenance_other": "Made with other tools and handed to gengap, which did not train these models and knows "
    "nothing of how they came about.",
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
