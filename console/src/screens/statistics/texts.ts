export default {
  zh: {
    title: '统计', by: '统计方式', byName: { organisation: '单位', vehicle: '车辆', driver: '驾驶员', rule: '规则', month: '月份', severity: '等级', finding: '认定', case_state: '督办' },
    rule: '规则', backwards: '结束日期须晚于开始日期', course: '预警走势（按发生时间）', day: '日期', alerts: '预警', ranking: '排名', total: '合计', asOf: '截至 {time}（北京时间）',
    first: '列出前 {shown} 项，共 {of} 项', allOf: '共 {of} 项', more: '再列出 {count} 项', rank: '名次', open: '疑似待处理', withdrawn: '已撤销', masked: '涉密（不可见）', nobody: { driver: '驾驶员不明', vehicle: '车辆不明', other: '无' },
    report: '月报', month: '月份', purpose: '用途', purposeUsual: '编制月报', xlsx: '导出 XLSX', pdf: '导出 PDF', reportAll: '权限范围内的全部单位', reportUnit: '所选单位及所属单位',
  },
  en: {
    title: 'Statistics', by: 'Counted by', byName: { organisation: 'Unit', vehicle: 'Vehicle', driver: 'Driver', rule: 'Rule', month: 'Month', severity: 'Severity', finding: 'Finding', case_state: 'Case' },
    rule: 'Rule', backwards: 'The end must be after the beginning', course: 'Alerts over time (when they began)', day: 'Day', alerts: 'Alerts', ranking: 'Ranking', total: 'All', asOf: 'As of {time} (Beijing time)',
    first: 'the first {shown} of {of}', allOf: '{of} in all', more: 'Show {count} more', rank: 'Rank', open: 'Suspected, no case', withdrawn: 'Withdrawn', masked: 'Secret (hidden)', nobody: { driver: 'Driver not known', vehicle: 'Vehicle not known', other: 'None' },
    report: 'Monthly report', month: 'Month', purpose: 'Purpose', purposeUsual: 'Monthly report', xlsx: 'Export XLSX', pdf: 'Export PDF', reportAll: 'all units that you reach', reportUnit: 'the chosen unit and those below it',
  },
}
