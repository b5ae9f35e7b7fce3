"""English sentences of recommendations; `wording.py` holds those of findings."""

SENTENCES: dict[str, str] = {
    "option.plain": "{variant}",
    "option.ensemble": "the mean forecast of all runs of {option}",
    "option.best": "{variant}, stopped at its best epoch (near epoch {epoch})",
    "option.last": "{variant}, trained to its last epoch ({epoch})",
    "option.patience": "{variant}, with early stopping of patience {patience} (near epoch {epoch})",
    "decision.alone": "There is only one option, so nothing is to be chosen, given this training set.",
    "decision.unknown": "Which of {count} options is the best cannot be said, given this training set.",
    "decision.one": "The best of {count} options, given this training set: {choice}.",
    "decision.all": "Any of {count} options may be the best, given this training set.",
    "decision.some": "{left} of {count} options may be the best, given this training set; shown not to be: "
    "{excluded:; }.",
    "decision.some_of_many": "{left} of {count} options may be the best, given this training set; the others "
    "are shown not to be.",
    "decision.ship": "Ship {choice}: mean {score} {value} ({better}).",
    "decision.why.alone": "It is the only one.",
    "decision.why.best": "It has the best mean, and nothing cheaper or more regularized is within {tolerance} of that.",
    "decision.why.parameters": "It has fewer parameters than {leader}, whose mean is better by {behind}: less than the "
    "{tolerance} that are taken not to matter.",
    "decision.why.unchanged": "It is the model as it is. {leader} has a mean that is better by {behind}: less than the "
    "{tolerance} that are taken not to matter.",
    "decision.why.epochs": "It takes fewer epochs than {leader}, whose mean is better by {behind}: less than the "
    "{tolerance} that are taken not to matter.",
    "decision.why.gap": "It costs as much as {leader} and is more regularized: its held-out score is closer to its "
    "training score. The other's mean is better by {behind}: less than the {tolerance} that are taken not to matter.",
    "decision.bound.alone": "Nothing is said of what was not tried.",
    "decision.bound.unknown": "How much could be lost by it cannot be said from one seed, for {claim}.",
    "decision.bound.none": "No other option is better, with {confidence:.4g} % confidence, for {claim}.",
    "decision.bound.stop": "Stop near epoch {epoch}; then no other option is worth more than {bound} "
    "in {score}, with {confidence:.4g} % confidence, for {claim}.",
    "decision.bound.most": "At most {bound} in {score} is lost by it against the best other option, "
    "with {confidence:.4g} % confidence, for {claim}.",
    "decision.bound.none.short": "No other option is better.",
    "decision.bound.stop.short": "Stop near epoch {epoch}; then no other option is worth more than {bound} in {score}.",
    "decision.bound.most.short": "At most {bound} in {score} is lost by it against the best other option.",
    "decision.more.needless": "That is within the {tolerance} that are taken not to matter: a larger study would "
    "change nothing of it.",
    "decision.more.seeds": "That bound would be about {bound} with {seeds:,d} {units} (the price of looking again "
    "included).",
    "decision.more.cases": "That bound would be about {bound} with {cases:,d} held-out cases.",
    "decision.more.both": "With {seeds:,d} seeds and {cases:,d} held-out cases it would be about {bound}.",
    "decision.more.not_seeds": "{seeds:,d} {units} alone would not lower it (looking again has its price).",
    "decision.more.not_cases": "{cases:,d} held-out cases alone would not lower it.",
    "decision.more.neither": "Neither {seeds:,d} seeds nor {cases:,d} held-out cases alone would lower that bound.",
    "decision.enough": "To bring it down to {tolerance} would take about {seeds:,d} seeds and {cases:,d} held-out "
    "cases.",
    "decision.enough_seeds": "To bring it down to {tolerance} would take about {seeds:,d} {units}.",
    "decision.enough.never": "Nothing within reason would bring it down to {tolerance}, if the means stay as they are.",
    "decision.enough.more_cases": "Without more cases nothing within reason would bring it down to {tolerance}; more "
    "cases might, but by how much cannot be predicted, since training sets would grow with them.",
    "decision.lost": "Not considered, because {lost} of its {runs} runs diverged or have not come to an end: {option}.",
    "decision.all_lost": "Of every option some runs diverged or have not come to an end; they count in no mean, so "
    "shipping may do worse.",
    "decision.same": "The same as an option above in every run, so not counted again: {options:; }.",
    "decision.validation": "There is no test split, so epochs were chosen on the cases that are read: stopping at the "
    "best epoch cannot be weighed against training on.",
    "decision.curves": "There are no held-out forecasts, so the claim is about these cases only.",
}
WORDS: dict[str, str] = {
    "score.log_loss": "log loss",
    "score.brier_score": "Brier score",
    "score.brier_skill_score": "Brier skill score",
    "score.roc_auc": "area under the ROC curve",
    "score.squared_error": "squared error",
    "score.squared_error_skill_score": "squared error skill score",
    "score.other": "the score",
    "smaller_is_better": "smaller is better",
    "larger_is_better": "larger is better",
    "unit.seeds": "seeds",
    "unit.passes": "passes",
    "claim.new": "new cases and new seeds, given this training set",
    "claim.these": "these cases and new seeds, given this training set",
}
