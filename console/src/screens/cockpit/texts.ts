export default {
  zh: {
    title: '驾驶舱', asOf: '数据截至 {time}（北京时间）', stale: '数据已过时，最近一次获取于 {age}', wall: '大屏', leave: '退出大屏', fill: '全屏',
    fleet: '车辆', vehicles: '在用车辆', secret: '不可见的涉密车辆', today: '今日出车与预警',
    fleetState: { online: '在线', moving: '行驶中', today: '今日上线', silent: '静默 {days} 天以上', never: '从未上报', no_terminal: '未装终端' },
    departed: '今日出车', returned: '其中已归队', km: '今日里程（公里）', kmNote: '不含无单行驶', overdue: '逾期未归队', alertsToday: '今日预警', alertsDays: '近 7 天预警',
    alertsOpen: '近 7 天疑似待处理', byRule: '近 7 天预警：按规则', byUnit: '近 7 天预警：按单位', firstUnits: '前 {shown} 个，共 {of} 个单位', noAlerts: '近 7 天没有预警',
    cases: '在办督办单', state: '状态', days: '{days} 天', sum: '合计', noCases: '没有在办的督办单', quality: '数据质量', noFaults: '没有发现问题',
    colour: { green: '未到期', yellow: '临近到期', red: '已逾期', grey: '期限待定', none: '无期限' },
  },
  en: {
    title: 'Cockpit', asOf: 'As of {time} (Beijing time)', stale: 'Out of date: last fetched {age}', wall: 'Wall screen', leave: 'Leave the wall screen', fill: 'Full screen',
    fleet: 'Vehicles', vehicles: 'In service', secret: 'Hidden (secret)', today: 'Trips and alerts today',
    fleetState: { online: 'Online', moving: 'Moving', today: 'Seen today', silent: 'Silent {days} days', never: 'Never seen', no_terminal: 'No terminal' },
    departed: 'Departed today', returned: 'Returned', km: 'Kilometres today', kmNote: 'without drives that have no order', overdue: 'Not returned', alertsToday: 'Alerts today', alertsDays: 'Alerts, 7 days',
    alertsOpen: 'Suspected, no case yet', byRule: 'Alerts of 7 days by rule', byUnit: 'Alerts of 7 days by unit', firstUnits: 'the first {shown} of {of} units', noAlerts: 'No alerts in 7 days',
    cases: 'Open cases', state: 'State', days: '{days} d', sum: 'All', noCases: 'No open cases', quality: 'Data quality', noFaults: 'Nothing found',
    colour: { green: 'In time', yellow: 'Due soon', red: 'Overdue', grey: 'Undetermined', none: 'No term' },
  },
}
