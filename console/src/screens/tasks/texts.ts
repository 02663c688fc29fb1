export default {
  zh: {
    list: '数据任务', about: '核销结论为“数据问题”的，须改好数据；改好后写明办了什么。', kind: '问题出在', subject: '哪一个', unit: '单位', opened: '交办（北京时间）', state: '状态', note: '办理情况', case: '督办单',
    kinds: { fence: '围栏', station: '加油站', terminal: '终端', paperwork: '单据', feed: '外部数据' }, states: { open: '未办', done: '已办' },
    finish: '完成', finishTitle: '完成任务', what: '办了什么', openCase: '打开督办单', done: '任务已完成',
  },
  en: {
    list: 'Data tasks', about: 'A finding “data problem” leads to a task: put the data right, then say what was done.', kind: 'What is wrong', subject: 'Which one', unit: 'Unit', opened: 'Opened (Beijing time)', state: 'State', note: 'What was done', case: 'Case',
    kinds: { fence: 'Fence', station: 'Station', terminal: 'Terminal', paperwork: 'Papers', feed: 'Outside data' }, states: { open: 'Open', done: 'Done' },
    finish: 'Done', finishTitle: 'The task is done', what: 'What was done', openCase: 'Open the case', done: 'The task is done',
  },
}
