"""The words of model cards, in English and Chinese."""

from collections.abc import Mapping
from typing import Any, Literal

CardLanguage = Literal["en", "zh"]

ENGLISH: Mapping[str, str] = {
    "title": "{variant}, {rule} epoch: {form} ({name})",
    "a study": "a study",
    "form.one": "the run of one seed",
    "form.mean": "the mean forecast of {count} runs, in one graph",
    "form.retrained": "{how}, retrained on {cases}",
    "cases.folds": "all cases of its folds",
    "cases.splits": "training and validation cases",
    "none": "none",
    "meaning.labels": "probability of every label",
    "meaning.event": "probability of label 1",
    "meaning.numbers": "expected value of every target",
    "note.inside.matrix": "The model takes one array, a number for each line of the table of columns in its order, NaN "
    "for a blank: scale, a column for each word, season and time of day, fill and marks of blanks are layers of it. "
    "`gengap predict` takes raw rows.",
    "note.inside.columns": "The model takes one input a column, by its name, as the table of columns says, and NaN for "
    "a blank number or time; scale, fill and marks of blanks are layers of it. `gengap predict` takes raw rows.",
    "columns": "| place | column | what the model takes |",
    "takes.number": "the number as it stands",
    "takes.standardized": "(the number - {mean!r}) / {deviation!r}, computed in 64-bit floats",
    "takes.code": "the code of the word: {codes}; 0 for any other",
    "blank": "a blank",
    "takes.day": "the day of the year with its fraction: 0 on 1 January at 0 h",
    "takes.time": "the time of day: 0 at 0 h, 0.5 at 12 h",
    "note.fitted": "The model takes raw inputs: what the study fitted to its training cases is its first layer.",
    "note.table": "`gengap predict` takes raw rows: how the study read and encoded its table is kept in the "
    "card's JSON. "
    "Other readers of the model have to do the same.",
    "note.inputs": "The model takes inputs exactly as the study's networks took them: whatever was done to them "
    "before "
    "(scaling, encoding of words, cropping) is not part of it and has to be done again.",
    "claim.none": "No score is claimed.",
    "claim": "Scores are of this very model on the study's {part} cases; intervals hold for new cases from the same "
    "source, given this training set.",
    "retrained.splits": "Retrained on the {cases:,} training and validation cases for {epochs} epochs ({updates:,} "
    "updates); the study's runs took {study_epochs} epochs ({study_updates:,} updates) in the median, and the same "
    "number of {kept} was kept.",
    "retrained.folds": "Retrained on all {cases:,} cases for {epochs} epochs ({updates:,} updates); the runs of "
    "the folds "
    "took {study_epochs} epochs ({study_updates:,} updates) in the median, and the same number of {kept} was kept.",
    "kept.epochs": "epochs",
    "kept.updates": "updates, to a whole epoch",
    "unjudged.splits": "This model was not itself evaluated: only the test cases could judge it, and scores of "
    "the study "
    "are those of runs trained on fewer cases.",
    "unjudged.folds": "This model was not itself evaluated: no case is left that could judge it.",
    "out_of_fold": "Single runs of the folds, trained on {sizes} of these {cases:,} cases, have a {score} of "
    "{mean:.4f}"
    "{reach} on cases that they had not seen, {given}; this model learned from all cases, so that about as much "
    "may be "
    "expected of it.",
    "reach": " (95 % interval {low:.4f} to {high:.4f})",
    "given.new": "for new training sets of that size",
    "given.these": "given these {folds} training sets",
    "noise": "Noise layers stay on when the model is called, `model(x)`: every call is a draw, and a forecast "
    "is the mean "
    "of many. Keras' `predict` switches them off. With noise on it was not itself evaluated.",
    "temperature": "The temperature {temperature:.4g} was fitted on the {where} forecasts of {runs}.",
    "where.validation": "validation",
    "where.folds": "out-of-fold",
    "runs.before": "the study's runs, before they were retrained",
    "runs.these": "these runs",
    "no_test": "There was no test split: its scores are read on cases that chose its epoch, and flatter.",
    "chosen": "The variant was chosen among {count} options on the cases that its scores are read on: what is "
    "chosen for "
    "looking best looks a little better than it is.",
    "left_out": "The runs of seeds {seeds} diverged or have not come to an end, and are not part of it.",
    "cost": "Inference costs {count} times that of one run.",
    "preprocess": "It takes inputs after {fitted}, fitted to the study's training cases, which is not part of it.",
    "classes": "To load it Keras needs these classes (`custom_objects`): {classes}.",
    "synthetic": "It was made from synthetic data.",
    "no_compile": "It has no compile state: to train it further compile it first.",
    "head.what": "What it is",
    "head.inputs": "Inputs and output",
    "head.scores": "Scores",
    "head.limits": "Limits",
    "head.data": "Data",
    "head.study": "Study",
    "head.made": "Made with",
    "input": "input",
    "output": "output",
    "no_scores": "None: this very model was not evaluated on held-out cases.",
    "table": "| score | of the forecast | on | value | 95 % interval | |",
    "larger": "larger is better",
    "smaller": "smaller is better",
    "interval": "{low:.4f} to {high:.4f}",
    "unknown": "unknown",
    "yes": "yes",
    "no": "no",
    "comma": ", ",
}
CHINESE: Mapping[str, str] = {
    "title": "{variant}，{rule}轮次：{form}（{name}）",
    "a study": "一项研究",
    "form.one": "一个种子的运行",
    "form.mean": "{count} 次运行的平均预报，合为一个模型",
    "form.retrained": "{how}，在{cases}上重新训练",
    "cases.folds": "各折的全部样本",
    "cases.splits": "训练与验证样本",
    "none": "无",
    "meaning.labels": "各标签的概率",
    "meaning.event": "标签 1 的概率",
    "meaning.numbers": "各目标的期望值",
    "note.inside.matrix": "模型接受一个数组：按下表顺序每行一个数，空缺为 NaN；缩放、每个词一列、季节与时刻、"
    "填补与空缺标记都是模型中的层。`gengap predict` 接受原始行。",
    "note.inside.columns": "模型的每一列是一个按列名命名的输入，取值见下表；数值或时间的空缺为 NaN；"
    "缩放、填补与空缺标记都是模型中的层。`gengap predict` 接受原始行。",
    "columns": "| 位置 | 列 | 模型接受 |",
    "takes.number": "原数值",
    "takes.standardized": "（数值 - {mean!r}）/ {deviation!r}，以 64 位浮点数计算",
    "takes.code": "词语的代码：{codes}；其他词语为 0",
    "blank": "空缺",
    "takes.day": "一年中的第几天（含小数）：1 月 1 日 0 时为 0",
    "takes.time": "一天中的时刻：0 时为 0，12 时为 0.5",
    "note.fitted": "模型接受原始输入：研究在训练样本上拟合的预处理是它的第一层。",
    "note.table": "`gengap predict` 接受原始行：研究如何读取并编码表格，保存在卡片的 JSON 中。用别的方式读取时须照做。",
    "note.inputs": "模型接受的输入与研究中的网络完全相同：此前所做的处理（缩放、词语编码、裁剪）不在模型之内，"
    "须重做一遍。",
    "claim.none": "不声称任何评分。",
    "claim": "评分属于这个模型本身，取自研究的{part}样本；区间适用于同一来源的新样本，就这一训练集而言。",
    "retrained.splits": "在 {cases:,} 个训练与验证样本上重新训练 {epochs} 轮（{updates:,} 次更新）；"
    "研究中各次运行的中位数为 "
    "{study_epochs} 轮（{study_updates:,} 次更新），保持{kept}相同。",
    "retrained.folds": "在全部 {cases:,} 个样本上重新训练 {epochs} 轮（{updates:,} 次更新）；各折运行的中位数为 "
    "{study_epochs} 轮（{study_updates:,} 次更新），保持{kept}相同。",
    "kept.epochs": "轮数",
    "kept.updates": "更新次数（取整到轮）",
    "unjudged.splits": "这个模型本身没有评估过：只有测试样本能评判它，而研究中的评分属于用较少样本训练的运行。",
    "unjudged.folds": "这个模型本身没有评估过：没有剩下可以评判它的样本。",
    "out_of_fold": "各折的单次运行用这 {cases:,} 个样本中的 {sizes} 个训练，在未见过的样本上{score}为 "
    "{mean:.4f}{reach}，"
    "{given}；这个模型学习了全部样本，可以期望大致相当。",
    "reach": "（95 % 区间 {low:.4f} 至 {high:.4f}）",
    "given.new": "适用于同样大小的新训练集",
    "given.these": "就这 {folds} 个训练集而言",
    "noise": "调用模型 `model(x)` 时噪声层保持开启：每次调用都是一次抽样，预报是多次的平均。Keras 的 `predict` "
    "会关闭它们。"
    "开启噪声的模型本身没有评估过。",
    "temperature": "温度 {temperature:.4g} 由{runs}的{where}预报拟合。",
    "where.validation": "验证",
    "where.folds": "折外",
    "runs.before": "研究中重新训练之前的运行",
    "runs.these": "这些运行",
    "no_test": "没有测试样本：评分取自选择轮次所用的样本，过于乐观。",
    "chosen": "变体是在读取评分的样本上从 {count} 个选项中选出的：因看起来最好而入选者，看起来总比实际略好。",
    "left_out": "种子 {seeds} 的运行发散或尚未结束，不在其中。",
    "cost": "推理花费为单次运行的 {count} 倍。",
    "preprocess": "它接受经 {fitted} 处理的输入；该处理在研究的训练样本上拟合，不在模型之内。",
    "classes": "加载它时 Keras 需要这些类（`custom_objects`）：{classes}。",
    "synthetic": "它由合成数据得到。",
    "no_compile": "它没有编译状态：要继续训练，先编译。",
    "head.what": "是什么",
    "head.inputs": "输入与输出",
    "head.scores": "评分",
    "head.limits": "局限",
    "head.data": "数据",
    "head.study": "研究",
    "head.made": "制作环境",
    "input": "输入",
    "output": "输出",
    "no_scores": "无：这个模型本身没有在留出样本上评估过。",
    "table": "| 评分 | 预报 | 样本 | 值 | 95 % 区间 | |",
    "larger": "越大越好",
    "smaller": "越小越好",
    "interval": "{low:.4f} 至 {high:.4f}",
    "unknown": "未知",
    "yes": "是",
    "no": "否",
    "comma": "、",
}
_NAMES: Mapping[str, str] = {
    "variant": "变体", "remedy": "对策", "form": "形式", "seeds": "种子", "epoch_rule": "轮次规则", "epochs": "轮次",
    "retrained": "重新训练", "temperature": "温度", "noise_stays_on": "噪声保持开启", "parameters": "参数个数",
    "needs_classes": "所需的类", "name": "名称", "shape": "形状", "dtype": "数值类型", "task": "任务",
    "meaning": "含义",
    "width": "宽度", "labels": "标签", "units": "单位", "of_output": "所取的输出", "features": "特征",
    "inside": "在模型之内",
    "note": "说明", "fitted_by_the_study": "研究拟合的预处理", "description": "描述", "n_train": "训练样本数",
    "n_validation": "验证样本数", "n_test": "测试样本数", "synthetic": "合成", "licence": "许可", "citation": "引用",
    "fingerprint": "指纹", "variants": "变体", "score": "评分", "batch_size": "批大小", "engine": "引擎",
    "created": "创建时间", "recommended": "建议（原文）", "best": "最佳", "last": "最后", "test": "测试",
    "validation": "验证", "as trained": "训练所得", "with temperature": "带温度", "log_loss": "对数损失",
    "brier_score": "Brier 评分", "squared_error": "平方误差", "roc_auc": "AUC", "brier_skill_score": "Brier 技巧评分",
    "squared_error_skill_score": "平方误差技巧评分", "binary": "二分类", "multiclass": "多分类", "regression": "回归",
}  # fmt: skip
"""Names of what a card lists, and words that results use, in Chinese."""


def say(lang: CardLanguage, key: str, **values: Any) -> str:
    """Return a sentence or a word of a card in a language."""
    return (ENGLISH if lang == "en" else CHINESE)[key].format(**values)


def name_of(lang: CardLanguage, name: str) -> str:
    """Return what a card calls one of its entries, or a word of a result."""
    return name.replace("_", " ") if lang == "en" else _NAMES.get(name, name.replace("_", " "))
