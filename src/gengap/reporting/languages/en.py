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
    "page.made": "Made by gengap {version}. Self-contained: no network needed.",
    "page.synthetic": "Synthetic data: the cases were drawn by a generator, not observed.",
    "sort.hint": "Click a column heading to sort.",
    "task.binary": "Binary classification",
    "task.multiclass": "Multi-class classification",
    "task.regression": "Regression",
    "part.train": "training",
    "part.validation": "validation",
    "part.test": "test",
    "part.folds": "out-of-fold",
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
    # findings
    "title.findings": "What was found",
    "lead.findings": "Numbers in brackets are 95 % intervals; those of comparisons are simultaneous: all of them "
    "hold at once with {confidence} confidence (of the 5 % error that a study may make, a part is kept for looking "
    "again after more seeds). Every statement is given this training set: with another one, "
    "equivalent variants may look different. The sections below show the evidence.",
    "lead.findings_plain": "Numbers in brackets are 95 % intervals. Every statement is given this training set: "
    "with another one, equivalent variants may look different. The sections below show the evidence.",
    "lead.findings_resampled": "Numbers in brackets are 95 % intervals; those of comparisons are simultaneous: all of "
    "them hold at once with {confidence} confidence. Each of {passes} divided all {cases} cases anew into {folds} "
    "folds, and every case was predicted by a run that had learned from {sizes} others. Verdicts are for new training "
    "sets of that size, not for all cases at once. The sections below show the evidence.",
    "lead.findings_crossed": "Numbers in brackets are 95 % intervals; those of comparisons are simultaneous: all of "
    "them hold at once with {confidence} confidence. All seeds learned from the same {folds} folds of {cases} cases, "
    "{sizes} cases a run; nothing is said of other training sets. The sections below show the evidence.",
    "count.passes.one": "one pass",
    "count.passes.many": "{number} passes",
    "caution.few_passes": "Only {seeds} passes: fewer than {enough} tell little of the variation between them.",
    "caution.mixed_times": "Cases of different times are mixed: folds learned from cases later than some they were "
    "tested on.",
    "caution.duplicates": "{count} cases have a twin in another group, which their fold may have learned from.",
    "tone.good": "good",
    "tone.bad": "problem",
    "tone.unsure": "undecided",
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
    "leader.without": "Of the variants tried, {variant} looks best, chosen without a validation split: {claim}, given "
    "this training set.",
    "leader.says": "Of the variants tried, {variant} did best on validation: {claim}, given this training set.",
    "onset.found": "{subject} overfits from epoch {epoch} [{low}, {high}]",
    "onset.open": "{subject} may overfit from epoch {epoch} [{low}, never]",
    "onset.possible": "{subject} shows no overfitting within {epochs} epochs (the data do not rule it out from "
    "epoch {low})",
    "onset.none": "{subject} shows no overfitting within {epochs} epochs",
    "onset.one_seed": "{subject} is best at epoch {epoch} in its only run",
    "skill.positive": "{rule} {subject} is better than always predicting {reference} ({name}: {skill})",
    "skill.negative": "{rule} {subject} is worse than always predicting {reference} ({name}: {skill})",
    "skill.unclear": "{rule} {subject} is not distinguishable from always predicting {reference} ({name}: {skill})",
    "reference.binary": "the base rate",
    "reference.multiclass": "the class frequencies",
    "reference.regression": "the mean",
    "skill_name.binary": "Brier skill score, larger is better",
    "skill_name.multiclass": "Brier skill score, larger is better",
    "skill_name.regression": "skill in squared error, larger is better",
    "verdict.better": "{variant} is better than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.worse": "{variant} is worse than {baseline} by {amount} in {score}, for {claim}.",
    "verdict.equivalent": "{variant} and {baseline} are equivalent within {margin} (gain in {score}: {amount}), "
    "for {claim}.",
    "verdict.cannot_say": "Whether {variant} is better than {baseline} cannot be said, given this training set: so far "
    "it is better by {amount} in {score}.",
    "verdict.cannot_say_behind": "Whether {variant} is better than {baseline} cannot be said, given this training set: "
    "so far it is worse by {amount} in {score}.",
    "verdict.lost": "{variant} cannot be compared with {baseline}: there is no pair of completed runs.",
    "verdict.nothing": "Nothing helps, given this training set: no variant is better than {baseline} {rule}.",
    "verdict.none_sure": "No variant is shown to help {rule}, given this training set: with {seeds} and {cases} "
    "cases no difference from {baseline} in {score} is established.",
    "verdict.none_sure_curves": "No variant is shown to help {rule}, given this training set: with {seeds} no "
    "difference from {baseline} in {score} is established.",
    "verdict.others_open": "With {seeds} and {cases} cases it cannot be said whether the other {count} variants "
    "differ from {baseline}, given this training set.",
    "verdict.others_open_curves": "With {seeds} it cannot be said whether the other {count} variants differ from "
    "{baseline}, given this training set.",
    "verdict.nearest": "Closest to a verdict: {variant}, so far better by {amount}. {needs}",
    "verdict.none_ahead": "None of these is ahead of {baseline} so far, given this training set.",
    "other.better_one": "{rule}, {variant} is better than {baseline} by {amount} in {score}, given this training "
    "set. This is descriptive: the verdicts were declared for the other epoch.",
    "other.better": "{rule}, {count} variants are better than {baseline}, most of all {variant}: by {amount} in "
    "{score}, given this training set. This is descriptive: the verdicts were declared for the other epoch.",
    "other.worse_one": "{rule}, {variant} is worse than {baseline} by {amount} in {score}, given this training "
    "set. This is descriptive: the verdicts were declared for the other epoch.",
    "other.worse": "{rule}, {count} variants are worse than {baseline}, most of all {variant}: by {amount} in "
    "{score}, given this training set. This is descriptive: the verdicts were declared for the other epoch.",
    "list.comma": ", ",
    "kind.better": "better",
    "kind.worse": "worse",
    "kind.equivalent": "equivalent",
    "kind.cannot say": "cannot say",
    "claim.new": "new cases and new seeds, given this training set",
    "claim.these": "these cases and new seeds, given this training set",
    "needs.seeds": "About {seeds} seeds in total would be needed.",
    "needs.cases": "About {cases} cases in total would be needed.",
    "needs.both": "About {seeds} seeds and {cases} cases in total would be needed.",
    "needs.beyond": "No practicable number of seeds and cases would be enough for a verdict.",
    "needs.passes": "About {passes} passes in total would be needed.",
    "needs.passes_cases": "No number of passes settles this on these cases: about {cases} cases in total would be "
    "needed, if the difference stays.",
    "needs.passes_both": "No number of passes settles this on these cases: about {passes} passes over {cases} cases in "
    "total would be needed, if the difference stays.",
    "needs.passes_beyond": "No number of passes settles this on these cases.",
    "caution.no_test": "There is no test split: the best epoch was chosen on the same cases that are scored "
    "here, so the scores of all variants are optimistic.",
    "caution.one_seed": "One seed only: nothing can be said about other seeds.",
    "caution.few_seeds": "Only {seeds} seeds: with fewer than {enough} the variation between seeds is poorly "
    "estimated.",
    "caution.diverged": "{lost} of {runs} runs diverged and are left out of all means: {where}.",
    "caution.unfinished": "Still improving at the end of training, so longer training may change the "
    "conclusions: {variants}.",
    "caution.serious": "{title} ({code}): {subject}, {sentence}.",
    # comparison
    "title.comparison": "Comparison with the baseline",
    "lead.comparison": "Each variant minus {baseline} in {score} ({better}) on the {part} cases, paired by seed "
    "and case. The verdict is about the {rule} epoch and {claim}; all its intervals are simultaneous, with "
    "{confidence} confidence. The other epoch (thin) is descriptive.",
    "lead.comparison_one": "Each variant minus {baseline} in {score} ({better}) on the {part} cases, paired by "
    "seed and case, for {claim}. All intervals are simultaneous, with {confidence} confidence.",
    "comparison.variant": "Variant",
    "comparison.verdict": "Verdict, given this training set",
    "comparison.best": "At the best epoch",
    "comparison.last": "At the last epoch",
    "comparison.difference": "Difference",
    "comparison.picture": "Difference (left: {side})",
    "comparison.p": "p (Holm)",
    "comparison.wins": "Seeds won",
    "comparison.needs": "Needed for a verdict (total)",
    "short.both": "{seeds} seeds and {cases} cases",
    "short.seeds": "{seeds} seeds",
    "short.cases": "{cases} cases",
    "short.beyond": "out of reach",
    "short.passes": "{passes} passes",
    "short.passes_cases": "{cases} cases",
    "short.passes_both": "{passes} passes and {cases} cases",
    "short.passes_beyond": "other cases",
    # scores
    "title.scores": "Scores of every variant",
    "lead.scores": "Mean ± standard deviation over {seeds}, given this training set, at the best epoch ({chosen}) and "
    "at the last.",
    "lead.scores_one": "The scores of the only run of each variant, given this training set, at the best epoch "
    "({chosen}) and at the last.",
    "chosen.validation": "chosen on validation",
    "chosen.without": "here the last",
    "lead.skill": "Skill is 1 for a perfect forecast and 0 for always predicting {reference}.",
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
    "lead.curves": "Thick lines are means over seeds on held-out cases, dotted ones on training cases; bands are "
    "the pointwise 95 % interval of the mean, thin lines single runs; circles mark the epoch at which each run "
    "is read. Move the pointer over the figure, or use the slider, to read values at an epoch.",
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
    "title.stopping": "Early stopping in hindsight",
    "lead.stopping": "What early stopping would have done, computed from the stored epochs without training "
    "again. A run stops after so many epochs without an improvement on validation, and its best epoch so far is "
    "kept. Scores are {score} on the {part} cases, mean ± standard deviation over seeds; a lower mean is "
    "no verdict: the comparison above says which differences are established.",
    "stopping.patience": "Patience, in epochs",
    "stopping.min_delta": "Smallest improvement that counts",
    "stopping.last": "Last epoch",
    "stopping.best": "Best epoch",
    "stopping.stopped": "With stopping",
    "stopping.stops": "Stops at epoch",
    "stopping.saved": "Epochs saved",
    "stopping.lowest": "Lowest mean: {last} at the last epoch, {best} at the best epoch, {stopped} with this "
    "stopping rule.",
    "stopping.validation": "These are the validation cases, on which the epochs are chosen: the last epoch is at a "
    "disadvantage.",
    "title.ensembles": "The mean forecast of all runs",
    "lead.ensembles": "The {members} runs of a variant as one forecast, their mean, in {score} ({better}) on the "
    "{part} cases at the {rule} epoch. Intervals have {confidence} confidence for ensembles of as many new seeds and "
    "new cases, given this training set; the intervals of all gains hold simultaneously, and so do those of all "
    "differences. Such a forecast costs {members} times the work of one run.",
    "folds.ensembles": "A case is forecast by the one run of every pass that has not seen it.",
    "ensembles.score": "Mean of all runs",
    "ensembles.single": "A run alone",
    "ensembles.gain": "Mean minus alone",
    "ensembles.difference": "Minus the baseline's mean",
    "folds.stopping": "The run of every fold stops by itself; means and deviations are over the runs of all folds.",
    # verification
    "title.verification": "Can the forecasts be trusted?",
    "lead.measures.binary": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for new "
    "cases and new seeds, given this training set. AUC: how well events are separated from non-events (0.5 is "
    "chance). Brier score: mean squared error of the probability (always predicting the base rate: "
    "{climatology}). Brier skill score: the share of that which is removed. Miscalibration is what recalibration "
    "would take off the Brier score, discrimination what the recalibrated "
    "forecasts gain over the base rate of these cases.",
    "lead.measures.multiclass": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for "
    "new cases and new seeds, given this training set. Brier score: squared error of the probabilities, summed "
    "over classes (always predicting the class frequencies: {climatology}); the skill score is the share of that "
    "which is removed.",
    "lead.measures.regression": "Of all seeds, on the {part} cases at the {rule} epoch; intervals are 95 % for "
    "new cases and new seeds, given this training set. Always predicting the mean has the squared error "
    "{climatology}; skill is the share of that which is removed.",
    "measure.roc_auc": "AUC",
    "measure.brier_score": "Brier score",
    "measure.brier_skill_score": "Skill",
    "measure.squared_error_skill_score": "Skill",
    "measure.miscalibration": "Miscalibration",
    "measure.discrimination": "Discrimination",
    "measure.accuracy": "Accuracy",
    "measure.squared_error": "Squared error",
    "measure.absolute_error": "Absolute error",
    "lead.verification": "Below, the run with the median validation score of {variants}: bands and bars are 95 "
    "%, for these runs and new cases.",
    "lead.verification_without": "Below, the run with the median training score, or the first run, of {variants}: "
    "bands and bars are 95 %, for these runs and new cases.",
    "lead.verification_folds": "Below, the pass with the median validation score of {variants}, every case forecast "
    "by the run that has not seen it: bands and bars are 95 %, for these runs and new cases. Reliability is that of "
    "the forecasts of all folds together.",
    "folds.verification": "AUC, miscalibration and discrimination are computed within each fold and averaged: "
    "forecasts of different runs do not rank together.",
    "diagram.roc": "ROC curve",
    "caption.roc": "Share of events detected against share of non-events falsely called events. The dotted "
    "diagonal is chance.",
    "diagram.performance": "Performance diagram",
    "caption.performance": "Towards the upper right is better. Grey curves have equal critical success index, dashed "
    "rays equal frequency bias; the star is the threshold of the largest index on these cases.",
    "diagram.attributes": "Attributes diagram",
    "caption.attributes": "Points on the diagonal are reliable; in the shaded area they add skill over the base "
    "rate. Bars show where calibrated forecasts would lie. Below: how often each probability was forecast.",
    "diagram.reliability": "Reliability",
    "caption.reliability": "The curve is the best monotone recalibration. Inside the band, chance alone could "
    "explain its departure from the diagonal. MCB (miscalibration) is what recalibration would gain, DSC "
    "(discrimination) what the recalibrated forecast gains over the base rate of these cases.",
    "diagram.top_label": "Reliability of the most probable class",
    "caption.top_label": "Is the most probable class right as often as its probability says? Inside the band, "
    "chance alone could explain the departure from the diagonal.",
    "diagram.scatter": "Forecast and outcome",
    "caption.scatter": "Points on the diagonal are exact forecasts.",
    "caption.some": "{drawn} of {number} cases are drawn.",
    "caption.unweighted": "Every case counts once here; the scores of this page are weighted by `sample_weight`.",
    # cases
    "title.cases": "How sure is it of a single case?",
    "lead.cases.binary": "Probabilities that {seeds} seeds of {variant} give to {part} cases: a dot per seed, a "
    "bar at their mean, a diamond at the outcome (left no, right yes).",
    "lead.cases.multiclass": "Probabilities that {seeds} seeds of {variant} give to the class they find most "
    "probable, for {part} cases: a dot per seed, a bar at their mean, a diamond on the right where that class "
    "was right.",
    "lead.cases.regression": "Forecasts of {seeds} seeds of {variant} for {part} cases: a dot per seed, a bar at "
    "their mean, a diamond at the outcome.",
    "folds.cases": "Here a seed is a pass over all cases, and its dot the run that has not seen the case.",
    "cases.case": "Case",
    "cases.outcome": "Outcome",
    "cases.forecast": "Forecast ± sd of seeds",
    "cases.picture": "Seeds and outcome",
    "cases.number": "case {number}",
    "cases.claims": "forecast {label}",
    "cases.sure_right": "Sure and right",
    "cases.sure_wrong": "Sure and wrong",
    "cases.unsure": "Unsure",
    "cases.disagree": "Seeds disagree",
    "cases.distributions": "Predictive distributions",
    "cases.of": "One network of {variant} predicts many times, each time with new noise: the spread of the members.",
    "cases.distribution": "Histogram of {members} members.",
    "cases.happened": "Outcome: {outcome}.",
    # noise
    "title.noise": "Does uncertainty flag the errors?",
    "lead.noise": "The network above was trained with dropout of {trained}. The rate that works best at "
    "inference may differ: {chosen} was chosen on validation, among those of the figure.",
    "noise.quantity": "On {part} cases",
    "noise.before": "rate in training, {rate}",
    "noise.after": "chosen rate, {rate}",
    "noise.score": "{score} of the mean forecast (smaller is better)",
    "noise.spread": "mean spread of the members",
    "noise.monotonicity": "share of steps at which the score falls as uncertain cases are set aside (1 is best)",
    "noise.discard": "mean gain in score of such a step",
    "noise.detection": "how well uncertainty flags wrong decisions (AUC; 0.5 = chance)",
    "noise.seeds": "share of other seeds' forecasts inside the members' central 90 %",
    "noise.ratio": "spread over error (SSRAT, 1 is right)",
    "noise.pit": "departure from a flat PIT histogram (PITD, 0 is right)",
    "noise.coverage": "share of outcomes inside the members' central 90 %",
    "noise.width": "width of the central 90 %",
    "noise.deterministic": "the forecast without noise",
    "noise.trained_rates": "the rates in training",
    "noise.helps": "The chosen rate helps: on the {part} cases its gain in {score} over {reference} is {gain} (above 0 "
    "is better).",
    "noise.harms": "No rate helps: on the {part} cases the chosen one is worse than {reference}; its gain in {score} "
    "is {gain} (above 0 is better).",
    "noise.open": "No rate is shown to help: on the {part} cases the gain of the chosen one in {score} over "
    "{reference} is {gain} (above 0 is better).",
    "noise.lowest": "The best value, {value}, is the smallest that was tried: a smaller one may be better still.",
    "noise.highest": "The best value, {value}, is the largest that was tried: a larger one may be better still.",
    "diagram.noise": "Rate at inference, on validation",
    "caption.noise": "Gain in {score} over {reference}, with pointwise 95 % intervals; above zero is better.",
    # weights
    "title.weights": "Weight norms and sparsity",
    "lead.weights": "Norm of all kernels, and the share of their weights below {threshold} in size, at the last "
    "epoch; a dot per seed, a bar at their mean, the axis from 0 to the largest. Gradient training gives no "
    "exact zeros.",
    "weights.norm": "Norm",
    "weights.norm_picture": "Norm, by seed",
    "weights.sparsity": "Share near zero",
    "weights.sparsity_picture": "Share near zero, by seed",
    "diagram.sparsity": "Sparsity at other thresholds",
    "caption.sparsity": "Share of weights below each threshold, every run thin, means thick; the dotted line is the "
    "threshold of the table ({threshold}).",
    # audit
    "title.audit": "Diagnosis and audit",
    "lead.audit": "What the learning curves show of each variant, given this training set, and what else could "
    "explain a difference; most important first. In Python: `gg.diagnose(result)` and `gg.audit(result)`.",
    "audit.advice": "What to do",
    "audit.meaning": "What it means",
    "severity.serious": "serious",
    "severity.warning": "warning",
    "severity.info": "note",
    # provenance
    "title.provenance": "Provenance and reproduction",
    "lead.provenance": "Everything needed to repeat the study.",
    "lead.provenance_other": "Made with other tools: gengap did not train these models and does not know their "
    "provenance.",
    "provenance.command": "Command to reproduce this study",
    "provenance.models": "Models",
    "provenance.settings": "Settings",
    "provenance.data": "Data",
    "provenance.versions": "Versions",
    "provenance.machine": "Machine",
    "provenance.created": "Created",
    "provenance.engine": "Engine",
    "provenance.backend": "Keras backend",
}
