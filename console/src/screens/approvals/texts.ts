export default {
  zh: {
    title: '待我审批', changes: '事后变更', none: '现在没有等您审批的', noneText: '轮到您审批时，这里和消息里都会出现。', more: '先办完这些，其余 {count} 份随后显示', stops: '新到的地点', why: '理由',
  },
  en: {
    title: 'To approve', changes: 'Changes after the fact', none: 'Nothing waits for you', noneText: 'When it is your turn it is shown here and among the messages.', more: 'Decide on these first; {count} more come then', stops: 'New stops', why: 'Reason',
  },
}
