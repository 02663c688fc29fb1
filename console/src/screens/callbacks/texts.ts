export default {
  zh: {
    draws: '回访抽取', draw: '抽取回访', month: '月份', unit: '单位', drawn: '抽取', drawnOf: '{population} 份中抽 {drawn} 份', recorded: '已登记', by: '经办', at: '时间', share: '比例（%）', seed: '随机种子',
    about: '每月从已确认的用车中按种子抽取一部分回访用车人。有种子和名单的人可以用任何程序重新抽出同样的结果。', below: '含下级单位', seedHint: '如 摇号号码、开奖日期；定下后不能更改', badShare: '请填 0.1 至 100，至多一位小数',
    drawNote: '每个单位每月只能抽取一次，抽取后不能重抽。', done: '已从 {population} 份中抽取 {drawn} 份', none: '尚未抽取过', noneText: '每月 1 日起可以抽取上一个月已确认的用车。',
    list: '回访清单', rank: '次序', number: '申请编号', outcome: '结果', note: '说明', openOnly: '只看未登记的', notCalled: '未登记', record: '登记回访 {number}', again: '已登记过：再次登记另记一条，列表显示最后一次。',
    noteHint: '不满意的必须写明原因，至少 5 个字', saved: '已登记', openRequest: '打开用车申请（电话、行程）',
    said: { satisfied: '满意', unsatisfied: '不满意', not_reached: '未联系上', refused: '不愿答复' },
  },
  en: {
    draws: 'Draws of call-backs', draw: 'Draw call-backs', month: 'Month', unit: 'Unit', drawn: 'Drawn', drawnOf: '{drawn} of {population}', recorded: 'Recorded', by: 'By', at: 'Time', share: 'Share (%)', seed: 'Seed',
    about: 'A part of each month\'s confirmed trips is drawn by a seed, and their applicants are called. Whoever has the seed and the list draws the same with any program.', below: 'With the units below it', seedHint: 'Such as the numbers of a lottery and its date; it does not change any more', badShare: 'From 0.1 to 100, one decimal at most',
    drawNote: 'A unit and month is drawn once, and never again.', done: '{drawn} of {population} are drawn', none: 'Nothing has been drawn', noneText: 'From the first of a month on, the confirmed trips of the month before can be drawn.',
    list: 'Calls of a draw', rank: 'Place', number: 'Request', outcome: 'Outcome', note: 'Said', openOnly: 'Only those to be called', notCalled: 'Not recorded', record: 'Record the call {number}', again: 'It is recorded already: this is another entry, and the last one is shown.',
    noteHint: 'Unsatisfied: say why, in five characters at least', saved: 'Recorded', openRequest: 'Open the request (telephone, trip)',
    said: { satisfied: 'Satisfied', unsatisfied: 'Unsatisfied', not_reached: 'Not reached', refused: 'Would not answer' },
  },
}
