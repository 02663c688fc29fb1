import detail from './detail/texts'
import names from './detail/names'

export default {
  zh: {
    list: '预警列表', rule: '规则', status: '状态', caseState: '督办', finding: '认定', severity: '等级', plate: '车牌', unit: '单位',
    occurred: '发生时间（北京时间）', detected: '发现时间（北京时间）', summary: '情况', noVehicle: '没有这个车牌的车辆：{plate}', order: '派车单', driver: '驾驶员', version: '版本',
    measures: '数值', parameters: '判定时的阈值', evidence: '证据摘要 SHA-256', withdrawn: '撤销原因', versions: '各版本', written: '写入时间（北京时间）',
    happened: '发生（北京时间）', found: '发现', unread: '未读', markRead: '标为已读', markUnread: '标为未读', backwards: '结束日期须晚于开始日期', going: '进行中', copied: '已复制 {count} 个编号', copy: '复制编号',
    detail: { ...detail.zh, name: names.zh },
  },
  en: {
    list: 'Alerts', rule: 'Rule', status: 'State', caseState: 'Case', finding: 'Finding', severity: 'Severity', plate: 'Plate', unit: 'Unit',
    occurred: 'Occurred (Beijing time)', detected: 'Detected (Beijing time)', summary: 'What', noVehicle: 'No vehicle has this plate: {plate}', order: 'Dispatch order', driver: 'Driver', version: 'Version',
    measures: 'Numbers', parameters: 'Thresholds in force', evidence: 'SHA-256 of the evidence', withdrawn: 'Why withdrawn', versions: 'Versions', written: 'Written (Beijing time)',
    happened: 'Occurred (Beijing)', found: 'Detected', unread: 'Unread', markRead: 'Mark as read', markUnread: 'Mark as unread', backwards: 'The end must be after the beginning', going: 'still going on', copied: '{count} ids copied', copy: 'Copy ids',
    detail: { ...detail.en, name: names.en },
  },
}
