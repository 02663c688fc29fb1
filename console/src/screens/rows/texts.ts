export default {
  zh: {
    unknown: '没有这个列表', unknownText: '地址所指的列表不存在。', counted: '统计时 {count} 条',
    list: {
      alerts: '预警明细', cases: '督办单明细', statistics_fleet: '车辆明细', 'dispatch-orders': '派车单明细', 'fuel-stations': '加油站明细',
      'fuel-transactions': '加油记录明细', 'terminal-notices': '终端提示明细', evaluations_waiting: '等待事实的判定', tasks: '数据问题任务', 'message-failures': '未送达的消息',
    },
    column: {
      occurred_from: '发生（北京时间）', rule: '规则', plate: '车牌', organisation: '单位', severity: '等级', summary: '情况', status: '状态', number: '督办编号',
      title: '标题', state: '状态', due_on: '到期日', created_at: '创建（北京时间）', terminal: '终端', seen_at: '最近上报（北京时间）', moved_at: '最近行驶（北京时间）',
      id: '编号', vehicle: '车辆', planned_departure: '计划出车（北京时间）', planned_return: '计划归队（北京时间）', actual_departure: '实际出车（北京时间）', purpose: '事由',
      name: '名称', updated_at: '更新（北京时间）', at: '时间（北京时间）', card: '卡号', station_name: '站名', product: '油品', quantity: '数量', amount: '金额',
      kind: '种类', about: '关于', times: '次数', first_at: '最早（北京时间）', last_at: '最近（北京时间）', key: '对象', waits_for: '等待', attempts: '次数',
      due_at: '下次（北京时间）', opened_at: '提出（北京时间）', subject: '内容', case: '督办单', person: '收件人', channel: '渠道', address: '地址', last_error: '最近的错误',
    },
    filter: {
      rule: '规则', organisation: '单位', within: '单位及所属', vehicle: '车辆', driver: '驾驶员', severity: '等级', status: '状态', finding: '认定', case_state: '督办', began_from: '开始于',
      began_to: '早于', from: '从', to: '到', state: '状态', colour: '期限', created_from: '创建于', created_to: '创建早于', standing: '情况', silent_days: '静默天数',
      departed_from: '出车于', departed_to: '出车早于', overdue: '逾期未归', backfill_waits: '待批准补单', located: '有坐标', unmatched: '站名未匹配', kind: '种类', plate: '车牌',
    },
    orderStatus: { approved: '已批准', departed: '已出车', returned: '已归队', cancelled: '已取消' },
    notice: { clock_wrong: '时钟错误', device_refused: '更换设备待确认', device_accepted: '已接受设备', contradiction: '位置与里程矛盾', other_imei: 'IMEI 不符，已拒绝', other_card: 'SIM 卡不符', datum_wrong: '坐标疑为 GCJ-02' },
    standing: { service: '在用', with_terminal: '已装终端', moving: '行驶中', online: '在线', today: '今日上线', silent: '静默', never: '从未上报', no_terminal: '未装终端' },
    colour: { none: '无期限', green: '未到期', yellow: '临近到期', red: '已逾期', grey: '期限待定' },
    flag: { true: '是', false: '否' },
  },
  en: {
    unknown: 'No such list', unknownText: 'The list that the address names does not exist.', counted: '{count} when counted',
    list: {
      alerts: 'Alerts', cases: 'Cases', statistics_fleet: 'Vehicles', 'dispatch-orders': 'Dispatch orders', 'fuel-stations': 'Fuel stations',
      'fuel-transactions': 'Fuel transactions', 'terminal-notices': 'Notices of terminals', evaluations_waiting: 'Judgements that wait', tasks: 'Tasks on data', 'message-failures': 'Messages that failed',
    },
    column: {
      occurred_from: 'Occurred (Beijing)', rule: 'Rule', plate: 'Plate', organisation: 'Unit', severity: 'Severity', summary: 'What', status: 'State', number: 'Number',
      title: 'Title', state: 'State', due_on: 'Due', created_at: 'Created (Beijing)', terminal: 'Terminal', seen_at: 'Last heard (Beijing)', moved_at: 'Last moved (Beijing)',
      id: 'Id', vehicle: 'Vehicle', planned_departure: 'To depart (Beijing)', planned_return: 'To return (Beijing)', actual_departure: 'Departed (Beijing)', purpose: 'Purpose',
      name: 'Name', updated_at: 'Changed (Beijing)', at: 'Time (Beijing)', card: 'Card', station_name: 'Station', product: 'Product', quantity: 'Quantity', amount: 'Amount',
      kind: 'Kind', about: 'About', times: 'Times', first_at: 'First (Beijing)', last_at: 'Last (Beijing)', key: 'Of', waits_for: 'Waits for', attempts: 'Tries',
      due_at: 'Next (Beijing)', opened_at: 'Opened (Beijing)', subject: 'What', case: 'Case', person: 'To', channel: 'Channel', address: 'Address', last_error: 'Last error',
    },
    filter: {
      rule: 'Rule', organisation: 'Unit', within: 'Unit and below', vehicle: 'Vehicle', driver: 'Driver', severity: 'Severity', status: 'State', finding: 'Finding', case_state: 'Case', began_from: 'Began from',
      began_to: 'before', from: 'From', to: 'To', state: 'State', colour: 'Term', created_from: 'Created from', created_to: 'Created before', standing: 'Standing', silent_days: 'Silent days',
      departed_from: 'Departed from', departed_to: 'Departed before', overdue: 'Overdue', backfill_waits: 'Waits for approval', located: 'Located', unmatched: 'Station unknown', kind: 'Kind', plate: 'Plate',
    },
    orderStatus: { approved: 'Approved', departed: 'Departed', returned: 'Returned', cancelled: 'Cancelled' },
    notice: { clock_wrong: 'Clock wrong', device_refused: 'Device waits', device_accepted: 'Device accepted', contradiction: 'Positions jump', other_imei: 'Another IMEI', other_card: 'Another SIM card', datum_wrong: 'Seems GCJ-02' },
    standing: { service: 'In service', with_terminal: 'With terminal', moving: 'Moving', online: 'Online', today: 'Seen today', silent: 'Silent', never: 'Never seen', no_terminal: 'No terminal' },
    colour: { none: 'No term', green: 'In time', yellow: 'Due soon', red: 'Overdue', grey: 'Undetermined' },
    flag: { true: 'yes', false: 'no' },
  },
}
