export default {
  zh: {
    period: '期间', ranking: '考核排名', objections: '异议', own: '{unit}的考核评分表', none: '没有可排名的下级单位', rank: '名次', unit: '单位', score: '得分', state: '状态',
    closed: '已关闭', open: '未关闭', note: '没有数据的项目不扣分，得分含这些项目的满分；通报时请注明。', sheet: '考核评分表', document: '下载 PDF',
    formula: '= 100 − 扣分 {deducted} + 返还 {back} + 冲正 {corrected}', closedAt: '{time}（北京时间）关闭，{by}', until: '异议截止 {day}', stillOpen: '未关闭：按现在已核销的督办单计算，为建议扣分',
    lines: '扣分明细', noLines: '没有扣分', capped: '已封顶', upheld: '异议成立', corrections: '冲正', items: '分项', maximum: '满分', noData: '没有数据，未评',
    head: { number: '督办编号', day: '核销日', rule: '规则', found: '结论', item: '项目', fact: '事由', full: '应扣', deducted: '实扣', back: '返还', net: '净扣', why: '说明' },
    fact: { finding: '核销结论', late_reply: '逾期回复', late_sign: '逾期签收', returned: '退回重办' },
    disputes: { open: '待决定', decided: '已决定' }, disputeState: { open: '待决定', upheld: '成立', rejected: '不成立' }, raised: '{by} 于 {time}（北京时间）提出', decision: '决定：',
    reason: '决定的理由（必填）', uphold: '异议成立', reject: '异议不成立', final: '{number}：决定后不能更改。', decided: '已决定',
  },
  en: {
    period: 'Period', ranking: 'Ranking', objections: 'Objections', own: 'The sheet of {unit}', none: 'No units below to rank', rank: 'Rank', unit: 'Unit', score: 'Score', state: 'State',
    closed: 'Closed', open: 'Open', note: 'Items without data cost nothing, and a score contains their maximum: say so when scores are announced.', sheet: 'assessment sheet', document: 'Download the PDF',
    formula: '= 100 − {deducted} deducted + {back} given back + {corrected} corrected', closedAt: 'closed {time} (Beijing time) by {by}', until: 'objections until {day}', stillOpen: 'Open: computed from the cases that are closed now; the points are proposals',
    lines: 'Lines', noLines: 'Nothing was deducted', capped: 'capped', upheld: 'objection upheld', corrections: 'Corrections', items: 'Items', maximum: 'Maximum', noData: 'not judged: no data',
    head: { number: 'Case', day: 'Closed', rule: 'Rule', found: 'Finding', item: 'Item', fact: 'What', full: 'Full', deducted: 'Deducted', back: 'Given back', net: 'Net', why: 'Remarks' },
    fact: { finding: 'Finding', late_reply: 'Late reply', late_sign: 'Late signature', returned: 'Sent back' },
    disputes: { open: 'Undecided', decided: 'Decided' }, disputeState: { open: 'Undecided', upheld: 'Upheld', rejected: 'Rejected' }, raised: 'raised by {by}, {time} (Beijing time)', decision: 'Decision:',
    reason: 'Why it is decided so (required)', uphold: 'Uphold', reject: 'Reject', final: '{number}: a decision is final.', decided: 'Decided',
  },
}
