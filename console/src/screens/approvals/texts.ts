export default {
  zh: {
    title: '待我审批', requests: '用车申请', changes: '事后变更', none: '现在没有等您审批的', noneText: '轮到您审批时，这里和消息里都会出现。', more: '先办完这些，其余 {count} 份随后显示', change: '变更', stops: '新到的地点', why: '理由', open: '打开派车单', departs: '{time} 出发',
  },
  en: {
    title: 'To approve', requests: 'Requests', changes: 'Changes after the fact', none: 'Nothing waits for you', noneText: 'When it is your turn it is shown here and among the messages.', more: 'Decide on these first; {count} more come then', change: 'Change', stops: 'New stops', why: 'Reason', open: 'Open the dispatch', departs: 'departs {time}',
  },
}
