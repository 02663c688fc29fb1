export default {
  zh: {
    title: '轨迹回放', plate: '车牌', day: '日期', before: '前一天', after: '后一天', noVehicle: '没有这个车牌的车辆：{plate}', choose: '请输入车牌，或从实时地图打开车辆；最多 {count} 辆同屏回放', whole: '时间为终端定位时间（北京时间）',
    map: '轨迹图；停留、派车单与预警见旁边的列表', none: '{day} 没有轨迹', noneHint: '可换一天，或查看终端是否失联', distance: '里程（按轨迹）', highest: '最高速度', fixes: '有效定位', gaps: '中断（≥3 分钟）',
    invalid: '无效定位', showInvalid: '显示无效定位', stops: '停留（≥3 分钟）', noStops: '没有停留', orders: '派车单', noOrders: '当日没有派车单', alerts: '预警', noAlerts: '当日没有预警', going: '进行中', ordersFailed: '派车单未能取得',
    alertsFailed: '预警未能取得', play: '播放', pause: '暂停', rate: '倍速', time: '回放时间', speed: '速度 km/h', chart: '{name} 速度曲线：最高 {max} km/h', inGap: '此时无定位，所示为此前位置',
    legend: '速度 km/h', gap: '中断', over: '>{value}', upTo: '≤{value}', export: '导出 {format}', summary: '概况', minutes: '{count} 分钟', at: '位置（WGS-84）', beforeFirst: '尚无定位', start: '转到 {time}', times: '{rate} 倍',
    together: '同屏回放的车辆', add: '加入车辆', full: '最多 {count} 辆', remove: '移去 {name}', focus: '查看 {name}', noneThen: '当日没有轨迹', inGapShort: '中断',
    lanes: '各车时间轴：行驶、停留、中断，上为派车单，下为预警；所选车辆的见旁边的列表', lanesLegend: '各车一行：实心为行驶，空心为停留，细线为中断；上方蓝条为派车单，下方红条为预警', piece: { drive: '行驶', stop: '停留', gap: '中断' },
    flag: {
      not_positioned: '未定位', null_island: '坐标为零', out_of_world: '坐标无效', time_ahead: '时间超前', time_unreadable: '时间无效', encrypted: '加密定位',
      jump: '跳变', clock_wrong: '终端时钟有误', too_old: '补传过晚', other: '其他',
    },
  },
  en: {
    title: 'Tracks', plate: 'Plate', day: 'Day', before: 'Day before', after: 'Day after', noVehicle: 'No vehicle has this plate: {plate}', choose: 'Type a plate, or open vehicles from the live map; up to {count} are played together', whole: 'Times are those of the terminal’s fixes (Beijing time)',
    map: 'Map of the track; stops, orders and alerts are in the lists beside it', none: 'No track on {day}', noneHint: 'Choose another day, or see whether the terminal is silent', distance: 'Distance (along the track)', highest: 'Highest speed', fixes: 'Valid fixes', gaps: 'Gaps (3 min or more)',
    invalid: 'Invalid fixes', showInvalid: 'Show invalid fixes', stops: 'Stops (3 min or more)', noStops: 'No stops', orders: 'Dispatch orders', noOrders: 'No orders that day', alerts: 'Alerts', noAlerts: 'No alerts that day', going: 'going on', ordersFailed: 'Orders could not be fetched',
    alertsFailed: 'Alerts could not be fetched', play: 'Play', pause: 'Pause', rate: 'Speed of replay', time: 'Time of replay', speed: 'Speed km/h', chart: 'Speed of {name} by time: at most {max} km/h', inGap: 'no fix at this time; the place before is shown',
    legend: 'Speed km/h', gap: 'gap', over: '>{value}', upTo: '≤{value}', export: 'Export {format}', summary: 'In short', minutes: '{count} min', at: 'Place (WGS-84)', beforeFirst: 'no fix yet', start: 'Go to {time}', times: '{rate} times',
    together: 'Vehicles played together', add: 'Add', full: 'At most {count}', remove: 'Remove {name}', focus: 'Look at {name}', noneThen: 'no track that day', inGapShort: 'gap',
    lanes: 'Time axis of each vehicle: driving, standing, gaps; orders above, alerts below. The lists beside the map have those of the chosen one', lanesLegend: 'A lane for each vehicle: full is driving, hollow standing, a thin line a gap; orders in blue above, alerts in red below', piece: { drive: 'driving', stop: 'standing', gap: 'gap' },
    flag: {
      not_positioned: 'no position', null_island: 'coordinates zero', out_of_world: 'no such place', time_ahead: 'time ahead', time_unreadable: 'time unreadable', encrypted: 'encrypted',
      jump: 'jump', clock_wrong: 'clock of the terminal wrong', too_old: 'came too late', other: 'other',
    },
  },
}
