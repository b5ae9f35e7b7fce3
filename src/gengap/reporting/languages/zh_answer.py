"""Chinese texts of the first screen."""

TEXTS: dict[str, str] = {
    "title.decision": "采用什么",
    "decision.bottom": "要点",
    "decision.action": "怎么做",
    "decision.risk": "可能的损失",
    "decision.claim": "适用范围",
    "decision.says": "上界适用于{claim}，置信度 {confidence}。评分为{part}样本上的{score}（{better}）。"
    "因看来最好而被选中的，其评分往往过于乐观；上界已考虑到这一选择。",
    "decision.says_plain": "对其他种子没有任何断言。评分为{part}样本上的{score}（{better}），就这一训练集而言。",
    "answer.what": "与{baseline}的{score}之差（{better}）。",
    "answer.together": "判定所用的各区间以 {confidence} 的置信度同时成立。",
    "answer.no_intervals": "没有区间：一个种子看不出变动。",
    "answer.thin": "粗线：{rule}轮次，判定以此为准；细线：{other}轮次。",
    "answer.baseline": "推荐的是{baseline}本身，位于 0。",
    "answer.left": "另有 {count} 个变体见比较表。",
    "answer.recommended": "推荐",
    "answer.label": "各变体与{baseline}的{score}之差（{better}）：{rows}。全部数字见比较表。",
    "answer.curves": "留出与训练（点线）{score}随轮次的变化，每个种子及其均值；虚线为应停止训练之处，约第 {epoch} 轮。",
}
