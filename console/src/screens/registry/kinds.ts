// The kinds of records: fields, columns and filters of each.
import { kindOf, type FilterField, type KindName, type KindTable, type Words } from './kind'

const ENERGY = { petrol: ['汽油', 'petrol'], diesel: ['柴油', 'diesel'], electric: ['纯电动', 'electric'], hybrid: ['混合动力', 'hybrid'], gas: ['燃气', 'gas'] } as const
const OWNERSHIP = { owned: ['自有', 'owned'], rented: ['租赁', 'rented'] } as const
const DATUM = { wgs84: ['WGS-84', 'WGS-84'], gcj02: ['GCJ-02（高德、腾讯）', 'GCJ-02'], bd09: ['BD-09（百度）', 'BD-09'] } as const
const TASKS = {
  official: ['公务', 'official'], repair: ['维修', 'repair'], inspection: ['年检', 'inspection'], car_wash: ['洗车', 'car wash'],
  emergency: ['应急', 'emergency'], tow: ['拖车', 'tow'],
} as const
const ORDER_STATES = { approved: ['已审批', 'approved'], departed: ['已出车', 'departed'], returned: ['已返回', 'returned'], cancelled: ['已取消', 'cancelled'] } as const
const CARD_KINDS = { vehicle: ['车卡', 'of a vehicle'], master: ['主卡', 'master'] } as const
const CARD_STATES = { active: ['正常', 'active'], lost: ['挂失', 'lost'], closed: ['已销卡', 'closed'] } as const
const FILLS = { fill: ['加油', 'fill'], top_up: ['充值', 'top-up'], reversal: ['冲正', 'reversal'], fee: ['费用', 'fee'], other: ['其他', 'other'] } as const
const FUELS = { fuel: ['油', 'fuel'], electric: ['电', 'electric'] } as const
const VIOLATION_STATES = { open: ['未处理', 'open'], handled: ['已处理', 'handled'], revoked: ['已撤销', 'revoked'], appealed: ['申诉中', 'appealed'] } as const

const YES: Readonly<Record<string, Words>> = { true: ['是', 'yes'] }
const ID: Words = ['编号', 'Id']
const UNIT: Words = ['单位', 'Unit']
const VEHICLE: Words = ['车辆', 'Vehicle']
const PLATE: Words = ['车牌号', 'Plate']
const DRIVER: Words = ['驾驶员', 'Driver']
const STATE: Words = ['状态', 'State']
const SOURCE: Words = ['来源', 'Source']
const CHANGED = { name: 'updated_at', words: ['修改时间', 'Changed'], type: 'time', shown: true } as const
const LAT = { name: 'lat', words: ['纬度', 'Latitude'], type: 'number' } as const
const LON = { name: 'lon', words: ['经度', 'Longitude'], type: 'number' } as const
const SYSTEM = { name: 'datum', words: ['坐标系', 'Datum'], type: 'choice', options: DATUM } as const
const SINCE = { name: 'from', words: ['开始日期', 'From'], type: 'day', moment: 'start' } as const
const UNTIL = { name: 'to', words: ['结束日期', 'To'], type: 'day', moment: 'end' } as const
const OF_VEHICLE: FilterField = { name: 'vehicle', words: VEHICLE, type: 'vehicle' }
const OF_PLATE: FilterField = { name: 'plate', words: PLATE, type: 'plate' }

/** A station's point is read as a geometry; it is entered as two numbers. */
export function pointOf(row: Record<string, unknown>): Record<string, unknown> {
  const shape = row.geometry as { type?: unknown; coordinates?: unknown } | null | undefined
  if (shape?.type !== 'Point' || !Array.isArray(shape.coordinates)) return row
  return { ...row, lon: shape.coordinates[0], lat: shape.coordinates[1], geometry: undefined }
}

/** What a terminal said of itself is not said by the office, only because somebody opened the form. */
export function officeSaid(row: Record<string, unknown>): Record<string, unknown> {
  const said = Array.isArray(row.office_said) ? row.office_said : []
  const kept = { ...row }
  for (const name of ['manufacturer', 'model', 'device_id']) if (!said.includes(name)) kept[name] = null
  return kept
}

const TABLES: readonly KindTable[] = [
  kindOf('vehicles', {
    words: ['车辆', 'Vehicles'], title: 'plate', tree: 'organisation',
    fields: [
      { name: 'id', words: ID, type: 'text', required: true },
      { name: 'plate', words: PLATE, type: 'plate', required: true },
      { name: 'organisation', words: UNIT, type: 'unit', required: true },
      { name: 'category', words: ['类别', 'Category'], type: 'text', hint: ['如：机要通信、应急保障', 'like 机要通信'] },
      { name: 'energy', words: ['能源', 'Energy'], type: 'choice', options: ENERGY, required: true },
      { name: 'tank', words: ['油箱容积（升）', 'Tank (litres)'], type: 'decimal' },
      { name: 'battery', words: ['电池容量（千瓦时）', 'Battery (kWh)'], type: 'decimal' },
      { name: 'ownership', words: ['权属', 'Ownership'], type: 'choice', options: OWNERSHIP, required: true },
      { name: 'report', words: ['报备文号', 'Report'], type: 'text', hint: ['租赁车辆填写', 'of a rented vehicle'] },
      { name: 'registered_on', words: ['登记日期', 'Registered on'], type: 'day' },
      { name: 'disposed_on', words: ['处置日期', 'Disposed of on'], type: 'day', hint: ['自该日起不再是公务用车', 'no official vehicle from this day on'] },
      { name: 'secret', words: ['涉密', 'Secret'], type: 'flag', shown: true },
      CHANGED,
    ],
    columns: [['plate', '8em'], ['id', 'minmax(8em, 1.2fr)'], ['organisation', 'minmax(10em, 2fr)'], ['category', 'minmax(7em, 1fr)'], ['energy', '6em'], ['ownership', '5em'], ['registered_on', '7.6em'], ['disposed_on', '7.6em'], ['updated_at', '10.4em']],
    orders: ['plate'],
    filters: [OF_PLATE],
  }),
  kindOf('organisations', {
    words: ['单位', 'Units'], title: 'name', tree: 'parent',
    fields: [
      { name: 'id', words: ID, type: 'text', required: true },
      { name: 'name', words: ['名称', 'Name'], type: 'text', required: true },
      { name: 'parent', words: ['上级单位', 'Above it'], type: 'unit' },
      CHANGED,
    ],
    columns: [['name', 'minmax(14em, 3fr)'], ['id', 'minmax(8em, 1fr)'], ['parent', 'minmax(10em, 2fr)'], ['updated_at', '10.4em']],
    filters: [],
  }),
  kindOf('terminals', {
    words: ['终端', 'Terminals'],
    fields: [
      { name: 'id', words: ['终端手机号', 'Phone number'], type: 'text', required: true },
      { name: 'vehicle', words: VEHICLE, type: 'vehicle', hint: ['车牌或车辆编号；留空并填写起始时间即为拆下', 'plate or id; empty with a time: taken out'] },
      { name: 'valid_from', words: ['装车起始时间', 'In it since'], type: 'time' },
      { name: 'beside', words: ['并装', 'Beside others'], type: 'flag', hidden: true, hint: ['车上原有终端保留', 'what the vehicle had stays'] },
      { name: 'manufacturer', words: ['制造商', 'Manufacturer'], type: 'text', hint: ['留空则以终端注册时上报的为准', 'empty: as the terminal says'] },
      { name: 'model', words: ['型号', 'Model'], type: 'text' },
      { name: 'device_id', words: ['终端编号', 'Device id'], type: 'text' },
      { name: 'imei', words: ['IMEI（登记）', 'IMEI (named)'], type: 'text', stays: true, hint: ['填写后，IMEI 不符的设备不得接入（2019 版终端）', 'another one is refused then (2019)'] },
      { name: 'iccid', words: ['ICCID（登记）', 'ICCID (named)'], type: 'text', stays: true, hint: ['填写后，换卡会提示', 'another card is told then'] },
      { name: 'reported_imei', words: ['上报的 IMEI', 'IMEI it says'], type: 'text', shown: true },
      { name: 'reported_iccid', words: ['上报的 ICCID', 'ICCID it says'], type: 'text', shown: true },
      { name: 'reported_software', words: ['软件版本', 'Software'], type: 'text', shown: true },
      { name: 'edition', words: ['协议版本', 'Edition of JT/T 808'], type: 'integer', shown: true },
      { name: 'enabled', words: ['启用', 'Enabled'], type: 'flag' },
      { name: 'plate', words: ['终端上报的车牌', 'Plate it says'], type: 'plate', shown: true },
      { name: 'registered_at', words: ['注册时间', 'Registered'], type: 'time', shown: true },
      { name: 'waiting_device', words: ['等待接受的设备', 'Device that waits'], type: 'list', shown: true },
      { name: 'waiting_since', words: ['等待自', 'Waits since'], type: 'time', shown: true },
      { name: 'clock_lag_s', words: ['时钟偏差（秒）', 'Clock behind (s)'], type: 'integer', shown: true },
      CHANGED,
    ],
    columns: [['id', '9em'], ['vehicle', 'minmax(8em, 1fr)'], ['valid_from', '10.4em'], ['manufacturer', 'minmax(6em, 1fr)'], ['model', 'minmax(8em, 1fr)'], ['enabled', '4.4em'], ['registered_at', '10.4em'], ['clock_lag_s', '9em'], ['waiting_device', 'minmax(9em, 1fr)']],
    filters: [OF_VEHICLE],
    forForm: officeSaid,
  }),
  kindOf('drivers', {
    words: ['驾驶员', 'Drivers'], title: 'name', tree: 'organisation', personal: true,
    fields: [
      { name: 'id', words: ID, type: 'text', required: true },
      { name: 'name', words: ['姓名', 'Name'], type: 'text', required: true },
      { name: 'organisation', words: UNIT, type: 'unit', required: true },
      { name: 'phone', words: ['电话', 'Phone'], type: 'text' },
      CHANGED,
    ],
    columns: [['name', 'minmax(7em, 1fr)'], ['id', 'minmax(8em, 1fr)'], ['organisation', 'minmax(10em, 2fr)'], ['phone', '9em'], ['updated_at', '10.4em']],
    orders: ['name'],
    filters: [],
  }),
  kindOf('fuel-cards', {
    words: ['油卡', 'Fuel cards'], tree: 'organisation', personal: true,
    fields: [
      { name: 'id', words: ['卡号', 'Card number'], type: 'text', required: true },
      { name: 'organisation', words: UNIT, type: 'unit', required: true },
      { name: 'issuer', words: ['发卡单位', 'Issuer'], type: 'text' },
      { name: 'kind', words: ['卡类型', 'Kind'], type: 'choice', options: CARD_KINDS, required: true },
      { name: 'status', words: STATE, type: 'choice', options: CARD_STATES, required: true },
      { name: 'opened_on', words: ['开卡日期', 'Opened on'], type: 'day' },
      { name: 'closed_on', words: ['销卡日期', 'Closed on'], type: 'day' },
      { name: 'plate', words: ['绑定车牌', 'Bound to'], type: 'plate', hint: ['改绑时同时填写起始时间', 'with the time from which on'] },
      { name: 'valid_from', words: ['绑定起始时间', 'Bound since'], type: 'time' },
      CHANGED,
    ],
    columns: [['id', 'minmax(13em, 1.4fr)'], ['plate', '8em'], ['organisation', 'minmax(10em, 2fr)'], ['issuer', 'minmax(7em, 1fr)'], ['kind', '5em'], ['status', '5em'], ['valid_from', '10.4em'], ['updated_at', '10.4em']],
    filters: [OF_PLATE, { name: 'status', words: STATE, type: 'choice', options: CARD_STATES }],
  }),
  kindOf('fuel-stations', {
    words: ['加油站', 'Fuel stations'], title: 'name',
    fields: [
      { name: 'id', words: ID, type: 'text', required: true },
      { name: 'name', words: ['名称', 'Name'], type: 'text', required: true },
      { name: 'aliases', words: ['别名', 'Other names'], type: 'list', hint: ['对账单上的写法，每行一个', 'as statements write it, one a line'] },
      { ...LAT, hidden: true }, { ...LON, hidden: true }, SYSTEM,
      { name: 'geometry', words: ['位置', 'Place'], type: 'place', shown: true },
      CHANGED,
    ],
    columns: [['name', 'minmax(12em, 2fr)'], ['id', 'minmax(8em, 1fr)'], ['aliases', 'minmax(12em, 2fr)'], ['geometry', '13em'], ['datum', '6em'], ['updated_at', '10.4em']],
    orders: ['name'],
    filters: [{ name: 'name', words: ['名称或别名', 'Name'], type: 'text' }],
    carried: ['geometry'], forForm: pointOf,
  }),
  kindOf('dispatch-orders', {
    words: ['派车单', 'Dispatch orders'], tree: 'organisation', versions: true,
    fields: [
      { name: 'id', words: ['派车单号', 'Number'], type: 'text', required: true },
      { name: 'organisation', words: UNIT, type: 'unit', required: true },
      { name: 'vehicle', words: VEHICLE, type: 'vehicle', required: true, hint: ['车牌或车辆编号', 'plate or id'] },
      { name: 'driver', words: DRIVER, type: 'text', hint: ['驾驶员编号', 'id of the driver'] },
      { name: 'task_type', words: ['任务类型', 'Task'], type: 'choice', options: TASKS, required: true },
      { name: 'purpose', words: ['事由', 'Purpose'], type: 'text' },
      { name: 'status', words: STATE, type: 'choice', options: ORDER_STATES, required: true },
      { name: 'planned_departure', words: ['计划出车', 'Planned departure'], type: 'time', required: true },
      { name: 'planned_return', words: ['计划返回', 'Planned return'], type: 'time', required: true },
      { name: 'extended_return', words: ['延长至', 'Extended to'], type: 'time' },
      { name: 'actual_departure', words: ['实际出车', 'Departed'], type: 'time' },
      { name: 'actual_return', words: ['实际返回', 'Returned'], type: 'time' },
      { name: 'cancelled_at', words: ['取消时间', 'Cancelled'], type: 'time' },
      { name: 'applicant', words: ['申请人', 'Applicant'], type: 'text' },
      { name: 'approver', words: ['审批人', 'Approver'], type: 'text', hint: ['不得为驾驶员或申请人本人', 'neither driver nor applicant'] },
      { name: 'origin', words: ['出发地', 'Origin'], type: 'place' },
      { name: 'destinations', words: ['目的地', 'Destinations'], type: 'places' },
      { name: 'return_point', words: ['返回地', 'Return to'], type: 'place' },
      { name: 'holds_from', words: ['本版生效时间', 'Holds from'], type: 'time', hint: ['留空即自始有效', 'empty: from the beginning'] },
      { name: 'entered_at', words: ['录入时间', 'Entered'], type: 'time', shown: true },
      { name: 'entered_late', words: ['补录', 'Entered late'], type: 'flag', shown: true },
      { name: 'version', words: ['版本', 'Version'], type: 'integer', shown: true },
    ],
    columns: [['id', 'minmax(9em, 1.2fr)'], ['vehicle', '8em'], ['organisation', 'minmax(8em, 1.4fr)'], ['driver', 'minmax(6em, 1fr)'], ['status', '5.4em'], ['planned_departure', '10.4em'], ['planned_return', '10.4em'], ['actual_return', '10.4em'], ['destinations', 'minmax(10em, 2fr)'], ['version', '4em']],
    orders: ['planned_departure'],
    filters: [
      OF_VEHICLE, { name: 'driver', words: DRIVER, type: 'text' }, { name: 'status', words: STATE, type: 'choice', options: ORDER_STATES },
      { name: 'overdue', words: ['逾期未还', 'Overdue'], type: 'choice', options: YES }, { name: 'backfill_waits', words: ['补单待审', 'Backfill waits'], type: 'choice', options: YES },
    ],
    carried: ['exchanges'],
  }),
  kindOf('fuel-transactions', {
    words: ['油卡交易', 'Fuel transactions'],
    fields: [
      { name: 'id', words: ['流水号', 'Number'], type: 'text', required: true },
      { name: 'card', words: ['卡号', 'Card'], type: 'text', required: true },
      { name: 'at', words: ['交易时间', 'Time'], type: 'time', required: true },
      { name: 'posted', words: ['仅入账时间', 'Only when it was posted'], type: 'flag' },
      { name: 'kind', words: ['交易类型', 'Kind'], type: 'choice', options: FILLS, required: true },
      { name: 'product', words: ['油品', 'Product'], type: 'text' },
      { name: 'energy', words: ['能源', 'Energy'], type: 'choice', options: FUELS, required: true },
      { name: 'quantity', words: ['数量（升、千瓦时）', 'Quantity (l, kWh)'], type: 'decimal' },
      { name: 'unit_price', words: ['单价（元）', 'Unit price'], type: 'decimal' },
      { name: 'amount', words: ['金额（元）', 'Amount'], type: 'decimal' },
      { name: 'balance', words: ['余额（元）', 'Balance'], type: 'decimal' },
      { name: 'station', words: ['站点', 'Station'], type: 'text', hint: ['加油站编号', 'id of the station'] },
      { name: 'station_name', words: ['网点', 'Its name on the paper'], type: 'text' },
      { name: 'reverses', words: ['原流水号', 'Reverses'], type: 'text' },
      { name: 'source', words: SOURCE, type: 'text' },
      CHANGED,
    ],
    columns: [['at', '10.4em'], ['card', 'minmax(12em, 1fr)'], ['kind', '5em'], ['product', 'minmax(6em, 1fr)'], ['quantity', '10em'], ['amount', '7.4em'], ['station_name', 'minmax(10em, 2fr)'], ['station', 'minmax(6em, 1fr)'], ['id', 'minmax(9em, 1fr)']],
    orders: ['at'],
    filters: [
      { name: 'card', words: ['卡号', 'Card'], type: 'text' }, { name: 'kind', words: ['交易类型', 'Kind'], type: 'choice', options: FILLS },
      { name: 'station', words: ['站点', 'Station'], type: 'text' }, SINCE, UNTIL,
    ],
    statement: { path: '/v1/fuel-transactions:import-statement', words: ['油卡对账单（发卡单位导出的原表）', 'A statement of the card company, as it is'] },
  }),
  kindOf('violations', {
    words: ['违章', 'Violations'],
    fields: [
      { name: 'id', words: ['违法编号', 'Number'], type: 'text', required: true },
      { name: 'plate', words: ['号牌号码', 'Plate'], type: 'plate', required: true },
      { name: 'at', words: ['违法时间', 'Time'], type: 'time', required: true },
      { name: 'place', words: ['违法地点', 'Place'], type: 'text' },
      { name: 'act', words: ['违法行为', 'Act'], type: 'text' },
      { name: 'code', words: ['违法代码', 'Code'], type: 'text' },
      LAT, LON, SYSTEM,
      { name: 'fine', words: ['罚款金额（元）', 'Fine'], type: 'decimal' },
      { name: 'points', words: ['记分', 'Points'], type: 'integer' },
      { name: 'status', words: ['处理状态', 'State'], type: 'choice', options: VIOLATION_STATES, required: true },
      { name: 'driver', words: DRIVER, type: 'text', hint: ['驾驶员编号', 'id of the driver'] },
      { name: 'source', words: SOURCE, type: 'text' },
      CHANGED,
    ],
    columns: [['at', '10.4em'], ['plate', '8em'], ['act', 'minmax(12em, 2fr)'], ['place', 'minmax(10em, 2fr)'], ['fine', '8em'], ['points', '4em'], ['status', '5.4em'], ['driver', 'minmax(6em, 1fr)'], ['id', 'minmax(8em, 1fr)']],
    orders: ['at'],
    filters: [OF_PLATE, { name: 'status', words: ['处理状态', 'State'], type: 'choice', options: VIOLATION_STATES }, SINCE, UNTIL],
    statement: { path: '/v1/violations:import-export', words: ['交警违法数据（交警平台导出的原表）', 'An export of the traffic police, as it is'] },
  }),
  kindOf('calendar-days', {
    words: ['日历日', 'Calendar days'], deletable: true,
    fields: [
      { name: 'id', words: ['日期', 'Day'], type: 'day', required: true },
      { name: 'workday', words: ['工作日', 'Workday'], type: 'flag', required: true },
      { name: 'name', words: ['名称', 'Name'], type: 'text', hint: ['如：国庆节、调休上班', 'like 国庆节'] },
      { name: 'source', words: SOURCE, type: 'text' },
      CHANGED,
    ],
    columns: [['id', '8em'], ['workday', '6em'], ['name', 'minmax(8em, 1fr)'], ['source', 'minmax(12em, 2fr)'], ['updated_at', '10.4em']],
    filters: [{ name: 'from', words: ['开始日期', 'From'], type: 'day' }, { name: 'to', words: ['结束日期', 'To'], type: 'day' }],
  }),
  kindOf('clock-corrections', {
    words: ['终端更正', 'Corrections of terminals'], deletable: true,
    fields: [
      { name: 'id', words: ['更正编号', 'Number'], type: 'text', required: true },
      { name: 'terminal', words: ['终端手机号', 'Terminal'], type: 'text', required: true },
      { name: 'valid_from', words: ['起始时间（按接收）', 'Received from'], type: 'time', required: true },
      { name: 'valid_to', words: ['终止时间（按接收）', 'Received until'], type: 'time', hint: ['时钟修好之时；留空即仍不准', 'when it was mended; empty: still wrong'] },
      { name: 'shift_s', words: ['更正秒数', 'Seconds to add'], type: 'integer', hint: ['把 UTC 当作北京时间的终端填 28800；0 即时钟准确；留空即不涉及', '28800 where UTC is sent as Beijing time; 0: it is right; empty: says nothing of it'] },
      { name: 'datum', words: ['坐标系', 'Datum'], type: 'choice', options: DATUM, hint: ['终端实际上报的坐标系', 'what its coordinates are in'] },
      { name: 'odometer_unit_m', words: ['里程单位（米）', 'Odometer unit (m)'], type: 'integer', hint: ['标准为 100；整公里填 1000；0 即不是里程', 'by the standard 100; whole kilometres: 1000; 0: it is none'] },
      { name: 'fuel_unit_ml', words: ['油量单位（毫升）', 'Fuel unit (ml)'], type: 'integer', hint: ['标准为 100；整升填 1000；0 即不是油量', 'by the standard 100; whole litres: 1000; 0: it is none'] },
      { name: 'source', words: SOURCE, type: 'text', shown: true },
      { name: 'dialect', words: ['厂家方言', 'Dialect'], type: 'text', shown: true },
      { name: 'note', words: ['备注', 'Note'], type: 'text' },
      CHANGED,
    ],
    columns: [['id', 'minmax(9em, 1fr)'], ['terminal', '9em'], ['valid_from', '12em'], ['valid_to', '12em'], ['shift_s', '6em'], ['datum', '6em'], ['odometer_unit_m', '8em'], ['dialect', '8em'], ['note', 'minmax(10em, 2fr)'], ['updated_at', '10.4em']],
    filters: [{ name: 'terminal', words: ['终端手机号', 'Terminal'], type: 'text' }],
  }),
]

export const KINDS: ReadonlyMap<string, KindTable> = new Map(TABLES.map((one) => [one.name, one]))
export const KIND_NAMES: readonly KindName[] = TABLES.map((one) => one.name)
