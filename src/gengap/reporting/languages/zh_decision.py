"""Chinese sentences of recommendations."""

SENTENCES: dict[str, str] = {
    "option.plain": "{variant}",
    "option.ensemble": "{option} 各次训练的平均预报",
    "option.best": "{variant}（停在最佳轮次，约第 {epoch} 轮）",
    "option.last": "{variant}（训练到最后一轮，第 {epoch} 轮）",
    "option.patience": "{variant}（提前停止，耐心 {patience} 轮，约第 {epoch} 轮）",
    "decision.alone": "只有一个选项，无可选择（就这一训练集而言）。",
    "decision.unknown": "就这一训练集而言，无法判断 {count} 个选项中哪个最好。",
    "decision.one": "就这一训练集而言，{count} 个选项中最好的是：{choice}。",
    "decision.all": "就这一训练集而言，{count} 个选项中任何一个都可能最好。",
    "decision.some": "就这一训练集而言，{count} 个选项中有 {left} 个可能最好；已显示不是最好的：{excluded:；}。",
    "decision.some_of_many": "就这一训练集而言，{count} 个选项中有 {left} 个可能最好；其余已显示不是最好。",
    "decision.ship": "采用 {choice}：平均{score} {value}（{better}）。",
    "decision.why.alone": "只有它。",
    "decision.why.best": "其均值最好，且在 {tolerance} 以内没有更省或正则化更强的选项。",
    "decision.why.parameters": "它的参数少于 {leader}；后者的均值好 {behind}，不到视为无关紧要的 {tolerance}。",
    "decision.why.epochs": "它所需轮次少于 {leader}；后者的均值好 {behind}，不到视为无关紧要的 {tolerance}。",
    "decision.why.gap": "它与 {leader} 一样省，而正则化更强：留出评分更接近训练评分。后者的均值好 {behind}，"
    "不到视为无关紧要的 {tolerance}。",
    "decision.bound.alone": "对没有试过的，什么也没有说。",
    "decision.bound.unknown": "只有一个种子，无法说出可能损失多少，适用于{claim}。",
    "decision.bound.none": "以 {confidence:.4g} % 的置信度，其余 {count} 个选项都不比它好，适用于{claim}。",
    "decision.bound.stop": "停在第 {epoch} 轮附近；这样，其余 {count} 个选项的{score}最多只能再好 {bound}，"
    "置信度 {confidence:.4g} %，适用于{claim}。",
    "decision.bound.most": "与其余 {count} 个选项中最好的相比，{score}最多损失 {bound}，置信度 {confidence:.4g} %，"
    "适用于{claim}。",
    "decision.more": "用 {seeds:,d} 个种子，该上界约为 {of_seeds}（已计入再看一次的代价）；"
    "用 {cases:,d} 个留出样本，约为 {of_cases}；两者都用，约为 {of_both}。",
    "decision.more_seeds": "用 {seeds:,d} 个种子，该上界约为 {of_seeds}（已计入再看一次的代价）。",
    "decision.enough": "要降到 {tolerance}，约需 {seeds:,d} 个种子和 {cases:,d} 个留出样本。",
    "decision.enough_seeds": "要降到 {tolerance}，约需 {seeds:,d} 个种子。",
    "decision.lost": "不予考虑，因为其 {runs} 次训练中有 {lost} 次发散或尚未完成：{option}。",
    "decision.all_lost": "每个选项都有训练发散或尚未完成；它们不计入均值，因此实际采用可能更差。",
    "decision.same": "每次训练都与上面的某个选项相同，不再计入：{options:；}。",
    "decision.validation": "没有测试集，轮次是在所读的样本上选出的：无法比较停在最佳轮次与继续训练。",
    "decision.curves": "没有留出样本的预报，因此只适用于这些样本。",
}
WORDS: dict[str, str] = {
    "score.log_loss": "对数损失",
    "score.brier_score": "Brier 评分",
    "score.brier_skill_score": "Brier 技巧评分",
    "score.roc_auc": "ROC 曲线下面积",
    "score.squared_error": "平方误差",
    "score.squared_error_skill_score": "平方误差技巧评分",
    "score.other": "评分",
    "smaller_is_better": "越小越好",
    "larger_is_better": "越大越好",
    "claim.new": "新样本和新种子（就这一训练集而言）",
    "claim.these": "现有样本和新种子（就这一训练集而言）",
}
