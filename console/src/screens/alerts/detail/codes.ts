// Words of the codes that evidence has in some fields. What is not known is shown as it stands.
const CODES: Record<string, string> = {
  active: '在用', lost: '挂失', closed: '停用', master: '主卡', vehicle: '车卡', fill: '加油', top_up: '充值', fee: '费用', reversal: '冲正', fuel: '燃油', electric: '电',
  open: '未处理', handled: '已处理', revoked: '已撤销', appealed: '申诉成功', counts: '计入', other_vehicle: '当日非本车', owned: '自有', rented: '租赁', counted: '计入', merged: '并入前一笔',
  outside: '不在时段内', not_a_fill: '不是加油', reversed: '已冲正', goods: '非油品', charging: '充电', same: '未更换', exchanged: '已更换', ended: '已解绑', during: '派车期间', official: '公务', repair: '维修',
  inspection: '年检', car_wash: '洗车', emergency: '应急', tow: '拖车', approved: '已批准', departed: '已出车', returned: '已返回', cancelled: '已取消', odometer_runs: '里程表在走', fixes_run: '定位在走',
}
const FIELDS = new Set(['kind', 'energy', 'status', 'belongs', 'why', 'task_type', 'ownership', 'binding'])

export function codeWord(code: string, language: 'zh' | 'en'): string {
  return language === 'zh' ? (CODES[code] ?? code) : CODES[code] === undefined ? code : code.replace(/_/g, ' ')
}

export const hasCodes = (field: string): boolean => FIELDS.has(field)

/** The tasks of a number of bits, as ``off_hours`` has them. */
export function taskWords(bits: number, language: 'zh' | 'en'): string {
  return ['official', 'repair', 'inspection', 'car_wash', 'emergency', 'tow'].filter((_, k) => bits & (1 << k)).map((one) => codeWord(one, language)).join(language === 'zh' ? '、' : ', ')
}
