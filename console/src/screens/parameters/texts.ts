import names from './names'

export default {
  zh: {
    name: names.zh,
    group: { track: '轨迹（各规则共用）', order: '派车单（各规则共用）', terminal: '终端', supervision: '督办期限', reminder: '对驾驶员的提醒' },
    unit: {
      u_m: '米', u_km: '公里', u_s: '秒', u_min: '分钟', u_h: '小时', u_d: '天', u_month: '个月', u_WD: '个工作日', u_km_h: '公里/时', u_l: '升', u_kWh: '千瓦时', u_l_100_km: '升/百公里', u_ml_h: '毫升/时',
    },
    types: { official: '公务', repair: '维修', inspection: '年检', car_wash: '洗车', emergency: '应急', tow: '拖车' }, noTypes: '都不允许', times: '{count} 倍', yes: '是', no: '否',
    groups: '规则', rules: '规则', shared: '共用参数', forUnit: '按单位查看', everyone: '全部单位', parameter: '参数', now: '现行值', nowOf: '现行值（{unit}）', since: '自 {time}', default: '默认值', allowed: '允许范围', source: '默认值的来源', set: '已设定的值', actions: '操作',
    isDefault: '默认值', setBy: '{unit} 设定', coming: '自 {time} 起：{value}', own: '本项目的取法', own2: '本项目的取法（第二版）', noneSet: '未设定', showSet: '{count} 个', hideSet: '收起',
    value: '值', effective: '生效（北京时间）', basis: '依据', state: '状态', holds: '现行', past: '已被取代', future: '尚未生效', zone: '生效时间均为北京时间', readOnly: '您可以查看，不能调整。调整需要“写入登记信息”的权限。',
    propose: '提出调整', takeBack: '撤销', takeBackTitle: '撤销这个值？', takeBackText: '{parameter}：{unit} 自 {time} 起的值 {value} 将被撤销。自该时刻起的结果将全部重判。', tookBack: '已撤销',
    changeTitle: '调整参数', unitField: '适用单位', unitHint: '对所选单位及其下级有效；下级自己设定了的，以下级的为准。', chooseUnit: '请选择单位', valueField: '新的值', valueHint: '现行 {now}，允许 {from} 至 {to}',
    effectiveField: '生效日期', effectiveHint: '自当日 00:00（北京时间）起', pastHint: '生效时刻已过：自 {time} 起的结果将全部重判。', basisField: '依据', basisHint: '谁决定的，见哪个文件', notKnown: '没有这个参数', notKnownHint: '地址有误，或参数已改名。请从“规则参数”中选择。',
    needValue: '请填写新的值', badValue: '应为整数', permilleHint: '可写 1300、1.3倍或 130%', clockHint: '可写 22:30', outOfRange: '应在 {from} 至 {to} 之间', needDay: '请填写生效日期', needBasis: '请填写依据', sameAsNow: '与现行值相同', needPeriod: '请填写期间', periodBackwards: '结束日早于起始日', periodLong: '最多 {count} 天', periodFuture: '期间不能在今天之后',
    whatIf: '会怎样', whatIfHint: '生效前先对过去一段时间试算：会新增、撤销哪些疑似。试算不发布任何结果。', try: '试算', tryAgain: '按现在的填写再试算', cannotTry: '这个参数由多条规则或督办共用，不能单独试算。', otherValues: '下面的试算是 {value}（{unit}），与上面填写的不同。',
    decide: '决定', put: '使其生效…', drop: '放弃', putTitle: '使新的值生效？', putText: '{parameter}（{unit}）：由 {before} 改为 {after}，自 {time} 起。', putReplaces: '同一时刻已设定的值 {value} 将被替换。', putTried: '试算（{from} 至 {to}）：新增疑似 {raised}，撤销 {withdrawn}。', putUntried: '尚未试算。', putPast: '自该时刻起的结果将全部重判。',
    putYes: '生效', done: '已写入：{parameter} 自 {time} 起为 {value}', dropTitle: '放弃这次调整？', dropText: '填写的内容不保留，未完成的试算将被取消。', dropYes: '放弃', unsaved: '提出的调整只在这个页面上，未写入系统；试算结果可在“回测”中再次查看。', seeAll: '在“回测”中查看',
    basisShown: '依据：{basis}。',
  },
  en: {
    name: names.en,
    group: { track: 'Tracks (shared)', order: 'Dispatch orders (shared)', terminal: 'Terminals', supervision: 'Deadlines of cases', reminder: 'Reminders to drivers' },
    unit: {
      u_m: 'm', u_km: 'km', u_s: 's', u_min: 'min', u_h: 'h', u_d: 'd', u_month: 'months', u_WD: 'working days', u_km_h: 'km/h', u_l: 'l', u_kWh: 'kWh', u_l_100_km: 'l/100 km', u_ml_h: 'ml/h',
    },
    types: { official: 'official', repair: 'repair', inspection: 'inspection', car_wash: 'car wash', emergency: 'emergency', tow: 'tow' }, noTypes: 'none allowed', times: '{count} times', yes: 'yes', no: 'no',
    groups: 'Rules', rules: 'Rules', shared: 'Shared parameters', forUnit: 'As seen by', everyone: 'All units', parameter: 'Parameter', now: 'In force', nowOf: 'In force ({unit})', since: 'since {time}', default: 'Default', allowed: 'Allowed', source: 'Source of the default', set: 'Values set', actions: 'Actions',
    isDefault: 'default', setBy: 'set by {unit}', coming: 'from {time} on: {value}', own: 'reading of this project', own2: 'reading of this project (second edition)', noneSet: 'none', showSet: '{count}', hideSet: 'fold',
    value: 'Value', effective: 'From (Beijing time)', basis: 'Decided by', state: 'State', holds: 'in force', past: 'replaced', future: 'to come', zone: 'Dates of effect are Beijing time', readOnly: 'You can read these, not change them. That needs the right to write the registry.',
    propose: 'Propose a change', takeBack: 'Take back', takeBackTitle: 'Take back this value?', takeBackText: '{parameter}: the value {value} of {unit} from {time} on is taken back. Everything from then on is judged again.', tookBack: 'Taken back',
    changeTitle: 'Change a parameter', unitField: 'For', unitHint: 'Holds for the unit and those below it, until they set their own.', chooseUnit: 'Choose a unit', valueField: 'New value', valueHint: 'In force {now}, allowed {from} to {to}',
    effectiveField: 'Effective date', effectiveHint: 'From 00:00 of this day on (Beijing time)', pastHint: 'That is past: everything from {time} on is judged again.', basisField: 'Decided by', basisHint: 'who decided it, and where that is written', notKnown: 'No such parameter', notKnownHint: 'The address is wrong, or it has another name now. Choose it under "Rule parameters".',
    needValue: 'Enter the new value', badValue: 'Must be an integer', permilleHint: '1300, 1.3倍 or 130%', clockHint: 'or as 22:30', outOfRange: 'Must be {from} to {to}', needDay: 'Enter the date', needBasis: 'Enter who decided it', sameAsNow: 'The same as now', needPeriod: 'Enter the period', periodBackwards: 'Ends before it begins', periodLong: 'At most {count} days', periodFuture: 'Must not be after today',
    whatIf: 'What would happen', whatIfHint: 'Try it over a time that is past before it is put in force: what would be raised and withdrawn. Nothing is published.', try: 'Try it', tryAgain: 'Try again with what is entered now', cannotTry: 'Several rules, or the cases, share this parameter: it cannot be tried alone.', otherValues: 'The backtest below tried {value} ({unit}), not what is entered above.',
    decide: 'Decide', put: 'Put it in force…', drop: 'Drop it', putTitle: 'Put the new value in force?', putText: '{parameter} ({unit}): from {before} to {after}, from {time} on.', putReplaces: 'It replaces the value {value} that was set for the same time.', putTried: 'Backtest ({from} to {to}): {raised} raised, {withdrawn} withdrawn.', putUntried: 'It was not tried.', putPast: 'Everything from then on is judged again.',
    putYes: 'Put in force', done: 'Written: {parameter} is {value} from {time} on', dropTitle: 'Drop this change?', dropText: 'What you entered is not kept; a backtest that has not ended is cancelled.', dropYes: 'Drop it', unsaved: 'The proposal is on this page only and not stored; its backtest stays under "Backtests".', seeAll: 'See it under "Backtests"',
    basisShown: 'Decided by: {basis}.',
  },
}
