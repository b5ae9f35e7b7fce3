"""Chinese texts of the section on a search."""

TEXTS: dict[str, str] = {
    "title.strengths": "强度是怎样找到的",
    "lead.strengths": "共 {trials}，各用 {seeds}，按 {rule} 轮次的验证{score}比较（越小越好）。"
    "这些评分只用于选择：许多次试验中最好的一个，看起来总比实际好。本报告中的变体都用试验没有用过的种子重新训练过。",
    "count.trials.one": "1 次试验",
    "count.trials.many": "{number} 次试验",
    "strengths.best": "最好：{remedy}（{score}）。",
    "strengths.strongest": "与它相差不到一个标准误差的最强正则化：{remedy}（{score}）。",
    "strengths.as_it_is": "原样的模型",
    "strengths.edge": "最好的 {name} 位于搜索范围（{values}）的{side}端：更好的值可能在范围之外。",
    "strengths.folds": "每一折各自选择：{chosen}。",
    "side.lower": "下",
    "side.upper": "上",
    "diagram.strengths": "强度与验证评分",
    "strengths.caption": "每个点是一次试验，竖线是其种子间的一个标准差；虚线是原样的模型，带宽同样是一个标准差。",
}

FIGURE_WORDS: dict[str, str] = {
    "strongest within one standard error": "一个标准误差以内的最强者",
    "the model as it is": "原样的模型",
    "Strength of": "强度：",
    "trials of the search": "搜索中的试验",
    "best trial": "最好的试验",
    "remedy off": "不用该对策",
}
"""Words of the figure."""
