export default {
  zh: {
    title: '调度台', queue: '等待办理', board: '{day} 车辆安排', today: '今天', yesterday: '前一天', tomorrow: '后一天', free: '空闲', noBars: '这一天还没有派车。', carsMore: '另有 {count} 辆空闲，未列出', now: '现在',
    list: { waiting: '待派车', no_vehicle: '无车', disputed: '异议', reassigning: '改派', proposed: '轨迹提示', overdue: '逾期未归', listed: '督办清单' },
    none: '没有', departsIn: '{minutes} 分钟后出发', departsInHours: '{hours} 小时后出发', departsPast: '已过出发时间 {minutes} 分钟', persons: '{count} 人',
    assign: '派车', candidates: '可派车辆', candidatesNone: '这段时间没有空闲车辆。等满 30 分钟仍无车的，可登记无车；也可与申请人商量改时间或合乘。', search: '车牌', driver: '驾驶员', driverHint: '自驾的不选', rank: '建议第 {rank}', cost: '调度代价 {cost}', failed: '为什么不能派其他车',
    why: '未派建议第 1 的理由', whyHint: '至少 5 个字，记入办理记录', note: '备注', busyUntil: '前一单 {time} 结束', nextAt: '后一单 {time} 出发', choose: '请先选一辆车', assigned: '已派 {plate}', close: '收起', chosen: '为 {number} 派车',
    emergency: '紧急派车', emergencyText: '先派车，后补手续：派车单立即生效，归队后 1 个工作日内须补齐申请并审批。', orderedBy: '口头批准人', destination: '大致目的地', departed: '出车时间', departedHint: '已经出车的填；没有出车的不填', vehicle: '车辆', unit: '用车单位', reason: '理由', reasonHint: '至少 5 个字', emergencyDone: '已紧急派车 {number}',
    bar: '{plate} {number} {state}，{from} 至 {to}',
  },
  en: {
    title: 'Dispatch', queue: 'Waits', board: 'Cars on {day}', today: 'Today', yesterday: 'Day before', tomorrow: 'Day after', free: 'free', noBars: 'No dispatches on this day yet.', carsMore: '{count} more are free', now: 'now',
    list: { waiting: 'Wait for a car', no_vehicle: 'No car', disputed: 'Disputed', reassigning: 'Reassign', proposed: 'Seen on the track', overdue: 'Overdue', listed: 'Listed' },
    none: 'None', departsIn: 'departs in {minutes} min', departsInHours: 'departs in {hours} h', departsPast: 'should have departed {minutes} min ago', persons: '{count} persons',
    assign: 'Assign', candidates: 'Cars that can be sent', candidatesNone: 'No car is free then. After 30 minutes without one, say so; or speak with the applicant about another time, or sharing.', search: 'Plate', driver: 'Driver', driverHint: 'None: drives himself', rank: 'suggested no. {rank}', cost: 'weighs {cost}', failed: 'Why not the others',
    why: 'Why not the first suggestion', whyHint: 'At least 5 characters; it stands in the thread', note: 'Note', busyUntil: 'before: until {time}', nextAt: 'next: {time}', choose: 'Choose a car first', assigned: '{plate} is assigned', close: 'Close', chosen: 'A car for {number}',
    emergency: 'Emergency', emergencyText: 'The car first: the order counts at once, and its paper is due one working day after the return.', orderedBy: 'Who ordered it', destination: 'Destination, roughly', departed: 'Departed at', departedHint: 'Only if it has left', vehicle: 'Vehicle', unit: 'Unit', reason: 'Reason', reasonHint: 'At least 5 characters', emergencyDone: 'Sent: {number}',
    bar: '{plate} {number} {state}, {from} to {to}',
  },
}
