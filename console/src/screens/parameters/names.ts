// What people call the parameters (registry.parameters), by group and name. A test compares the two lists.
const gap = { zh: '无轨迹时段的最高可能车速', en: 'Fastest speed while unseen' }
const settle = { zh: '返回后多久按已有轨迹判', en: 'Judged so long after, on what is there' }
const cover = { zh: '轨迹覆盖下限', en: 'Least coverage of the track' }

export default {
  zh: {
    track: { max_speed_kmh: '可信的最高车速', gap_s: '超过多久算轨迹中断', max_age_days: '接收时最早多少天前的定位可作证据' },
    order: {
      settle_after_h: settle.zh, early_start_min: '提前多久出车仍算在派车单内', overdue_cover_h: '逾期未返回的派车单再覆盖多久',
      cancel_return_min: '取消的派车单留给返回的时间', paper_grace_min: '登记时间与轨迹可差多少',
    },
    terminal: { exchange_silence_days: '静默多少天后另一台设备视为更换' },
    supervision: {
      urgent_wd: '紧急督办期限', general_wd: '一般督办期限', sign_wd: '签收期限', refuse_wd: '退件期限', ask_ahead_wd: '延期须提前多久申请', redo_min_wd: '退回重办最短期限',
      office_wd: '管理处审核期限', hotline_inquiry_wd: '热线咨询求助期限', hotline_report_wd: '热线投诉举报期限', hotline_margin_wd: '热线内部时限提前量', yellow_d: '到期前多久黄牌提醒',
      announce_wd: '逾期多久通报', reopen_d: '核销后多久内可重新打开',
    },
    reminder: {
      left_without_order: '提醒：无派车任务驶出围栏', order_overdue: '提醒：派车超时未返回', sealed_moved: '提醒：封存车辆移动', speed_kmh: '提醒：车速超过（0 为不提醒）', voice: '提醒同时语音播报',
      every_min: '同车同类提醒至少间隔', per_day: '同车同类提醒每日最多', recent_s: '只对多少秒内的定位提醒',
    },
    trips: {
      expire_min: '计划出发后多久未办即过期', no_car_min: '待派车满多久可登记无车', accept_min: '接单时限', no_show_min: '计划出车后多久未动即未用车', stand_min: '回场停满多久算归队',
      list_after_h: '逾期未归多久列入督办清单', backfill_wd: '补办手续期限', confirm_wd: '默认确认期限', near_m: '保障半径',
    },
    planner: {
      auto_city: '自动派车：市内一般公务', turnaround_min: '两次任务之间的整备时间', driver_day_h: '驾驶员一日驾驶上限', reserve_emergency: '留守的应急车辆数', reserve_confidential: '留守的机要车辆数',
      tail_first: '尾号限行：周一的尾号组（0 为不限行）', empty_fen_km: '空驶每公里', other_unit_fen: '用外单位的车', class_above_fen: '跨级用车', seat_fen: '每个空座',
      fairness_fen_h: '高出平均任务量每小时', unfamiliar_fen: '驾驶员不熟悉该车', fuel_short_fen: '短途未用新能源车', late_fen_min: '晚到每分钟', change_fen: '改动已通知的派车',
    },
    vehicle: { one_quote_yuan: '维修只须一家报价的金额上限' },
    quota: {
      confidential_yuan: '机要通信用车价格上限', confidential_ml: '机要通信用车排量上限', emergency_yuan: '应急保障用车价格上限', emergency_ml: '应急保障用车排量上限',
      enforcement_yuan: '执法执勤用车价格上限', enforcement_ml: '执法执勤用车排量上限', enforcement_need_yuan: '执法执勤用车（因工作需要）价格上限', enforcement_need_ml: '执法执勤用车（因工作需要）排量上限',
      other_yuan: '其他公务用车价格上限', other_ml: '其他公务用车排量上限', special_case_yuan: '确因情况特殊的小型、中型客车价格上限', special_case_ml: '确因情况特殊的小型、中型客车排量上限',
      large_bus_yuan: '确因情况特殊的大型客车价格上限', new_energy_yuan: '新能源轿车价格上限',
    },
    location: { min_displacement_m: '最小位移', episode_idle_min: '停多久算一次驶出结束' },
    destination: { radius_m: '目的地范围（半径）', gap_speed_kmh: gap.zh },
    mileage: { ratio_permille: '里程倍数', short_trip_m: '短途（导航里程）', odometer_differs_permille: '里程表差异提示', leave_out_local: '不计目的地周边行驶', local_radius_m: '目的地周边半径' },
    fuel_consumption: {
      ratio_permille: '油耗倍数', baseline_months: '前期月数', min_km: '最少里程', min_fills: '最少加油次数', gap_speed_kmh: gap.zh, min_coverage_permille: cover.zh, tank_default_l: '未登记的油箱容量', battery_default_kwh: '未登记的电池容量',
    },
    card_binding: { grace_days: '解绑宽限' },
    card_use: {
      station_radius_m: '加油站半径', polygon_margin_m: '加油站边界外扩', window_min: '加油时刻前后窗口', min_stop_s: '最短停留', stop_kmh: '算停留的最高车速', min_coverage_permille: cover.zh, gap_speed_kmh: gap.zh, settle_after_h: '加油后多久按已有轨迹判',
    },
    refuel_frequency: { min_fills: '加油次数', merge_min: '多久内合并为一次', count_charging: '充电也计' },
    traffic_violations: { min_violations: '违章次数', natural_month: '按自然月计（否：滚动一个月）', by_driver: '按驾驶员计（否：按车辆）', count_parking: '违停也计', same_act_min: '多久内同一行为算一次', drive_speed_kmh: gap.zh },
    terminal_silent: {
      min_silence_min: '最短静默', min_peers: '同伴终端至少几台', peers_permille: '同伴在线比例', min_displacement_m: '静默前后最小位移', min_contradiction_m: '定位与里程表最小矛盾', settle_after_h: '当日结束后多久判',
    },
    sealed: { min_displacement_m: '离停放处多远算移动', grace_min: '封存起止前后不计', allowed_types: '允许移动的派车类型', settle_after_h: '封存结束后多久判' },
    tank: { tolerance_permille: '超过箱容的容差', min_tank_l: '箱容小于此视为未登记', burn_l_100km: '百公里油耗至多', idle_ml_h: '怠速每小时油耗至多', merge_min: '多久内合并为一次', lookback_days: '上次加油至多多久以前', settle_after_h: '加油后多久按已有轨迹判' },
    parking: { night_from_min: '夜间开始', night_to_min: '夜间结束', min_stand_min: '停放至少多久', margin_m: '停放区域外扩', max_gap_min: '定位中断超过此值不算停放', settle_after_h: '当夜结束后多久判' },
    route: { corridor_m: '路线两侧多宽', off_route_m: '在外行驶超过', detour_m: '绕行在外至多', detour_permille: '绕行至多为原路的', stop_min: '绕行中停留少于', gap_speed_kmh: gap.zh },
    idle_rental: { min_idle: '闲置车辆至少几辆', margin_m: '停放区域外扩', max_gap_min: '定位中断超过此值不能认定', settle_after_h: '租赁结束后多久判' },
    off_hours: { night_from_min: '夜间开始', night_to_min: '夜间结束', min_distance_m: '最少里程', allowed_types: '允许的派车类型', settle_after_h: '当日结束后多久判' },
  },
  en: {
    track: { max_speed_kmh: 'Fastest credible speed', gap_s: 'A gap of the track is longer than', max_age_days: 'Oldest position that is evidence when received' },
    order: {
      settle_after_h: settle.en, early_start_min: 'Covers from so long before its departure', overdue_cover_h: 'Covers so long after an overdue return',
      cancel_return_min: 'Way back of a cancelled order', paper_grace_min: 'Times on paper may differ by',
    },
    terminal: { exchange_silence_days: 'Another device is an exchange after a silence of' },
    supervision: {
      urgent_wd: 'Urgent case', general_wd: 'General case', sign_wd: 'Signing for it', refuse_wd: 'Refusing it', ask_ahead_wd: 'Extension asked so long ahead', redo_min_wd: 'Least time to redo',
      office_wd: 'Review by the office', hotline_inquiry_wd: 'Hotline inquiry', hotline_report_wd: 'Hotline complaint', hotline_margin_wd: 'Margin before the hotline', yellow_d: 'Yellow warning before the deadline',
      announce_wd: 'Announced when so late', reopen_d: 'May be reopened for',
    },
    reminder: {
      left_without_order: 'Remind: outside the fence without an order', order_overdue: 'Remind: the order is overdue', sealed_moved: 'Remind: a sealed vehicle moves', speed_kmh: 'Remind: faster than (0: nobody)', voice: 'Reminders are read aloud, too',
      every_min: 'The same reminder of a vehicle no sooner than after', per_day: 'The same reminder of a vehicle a day, at most', recent_s: 'Only of positions that are no older than',
    },
    trips: {
      expire_min: 'Expires so long after the planned departure', no_car_min: 'Waits so long before there is no vehicle', accept_min: 'To be accepted within', no_show_min: 'Not used when it stands so long after the departure',
      stand_min: 'Back when it stands so long', list_after_h: 'Listed when overdue for so long', backfill_wd: 'Paper due after the return', confirm_wd: 'Confirmed by silence after', near_m: 'Radius of near trips',
    },
    planner: {
      auto_city: 'Assign routine city trips by itself', turnaround_min: 'Between two trips of a vehicle', driver_day_h: 'A driver drives a day at most', reserve_emergency: 'Emergency vehicles that stay in', reserve_confidential: 'Confidential vehicles that stay in',
      tail_first: 'Plates off the road: pair of Monday (0: none)', empty_fen_km: 'A km driven empty', other_unit_fen: 'Vehicle of another unit', class_above_fen: 'Vehicle of a class above the need', seat_fen: 'An empty seat',
      fairness_fen_h: 'An hour of work above the mean', unfamiliar_fen: 'Driver does not know the vehicle', fuel_short_fen: 'Short trip without an electric vehicle', late_fen_min: 'A minute late', change_fen: 'Change of what was told',
    },
    vehicle: { one_quote_yuan: 'One quote will do for a maintenance up to' },
    quota: {
      confidential_yuan: 'Confidential post: price at most', confidential_ml: 'Confidential post: displacement at most', emergency_yuan: 'Emergency vehicle: price at most', emergency_ml: 'Emergency vehicle: displacement at most',
      enforcement_yuan: 'Enforcement vehicle: price at most', enforcement_ml: 'Enforcement vehicle: displacement at most', enforcement_need_yuan: 'Enforcement vehicle, where work needs it: price at most', enforcement_need_ml: 'Enforcement vehicle, where work needs it: displacement at most',
      other_yuan: 'Other official vehicle: price at most', other_ml: 'Other official vehicle: displacement at most', special_case_yuan: 'Small or medium bus in a special case: price at most', special_case_ml: 'Small or medium bus in a special case: displacement at most',
      large_bus_yuan: 'Large bus in a special case: price at most', new_energy_yuan: 'Electric car: price at most',
    },
    location: { min_displacement_m: 'Least displacement', episode_idle_min: 'An episode ends after standing' },
    destination: { radius_m: 'Radius around a destination', gap_speed_kmh: gap.en },
    mileage: { ratio_permille: 'Ratio of mileages', short_trip_m: 'Short trip (navigation)', odometer_differs_permille: 'Odometer differs by', leave_out_local: 'Leave out driving near destinations', local_radius_m: 'Radius near a destination' },
    fuel_consumption: {
      ratio_permille: 'Ratio of consumptions', baseline_months: 'Months before', min_km: 'Least distance', min_fills: 'Least fills', gap_speed_kmh: gap.en, min_coverage_permille: cover.en, tank_default_l: 'Tank where not registered', battery_default_kwh: 'Battery where not registered',
    },
    card_binding: { grace_days: 'Grace before unbinding' },
    card_use: {
      station_radius_m: 'Radius of a station', polygon_margin_m: 'Margin around a station', window_min: 'Window around the fill', min_stop_s: 'Shortest stop', stop_kmh: 'Fastest speed of a stop', min_coverage_permille: cover.en, gap_speed_kmh: gap.en, settle_after_h: settle.en,
    },
    refuel_frequency: { min_fills: 'Fills', merge_min: 'Fills within this are one', count_charging: 'Charging counts' },
    traffic_violations: { min_violations: 'Violations', natural_month: 'By natural month (no: rolling)', by_driver: 'By driver (no: by vehicle)', count_parking: 'Parking counts', same_act_min: 'The same act within this is one', drive_speed_kmh: gap.en },
    terminal_silent: {
      min_silence_min: 'Shortest silence', min_peers: 'Peers at least', peers_permille: 'Share of peers that are heard', min_displacement_m: 'Least displacement', min_contradiction_m: 'Least contradiction with the odometer', settle_after_h: settle.en,
    },
    sealed: { min_displacement_m: 'Moved from so far on', grace_min: 'Not counted at either end', allowed_types: 'Kinds of orders allowed', settle_after_h: settle.en },
    tank: { tolerance_permille: 'Tolerance above the tank', min_tank_l: 'A smaller tank is not known', burn_l_100km: 'Burnt per 100 km at most', idle_ml_h: 'Burnt per hour at rest at most', merge_min: 'Fills within this are one', lookback_days: 'The fill before is at most so old', settle_after_h: settle.en },
    parking: { night_from_min: 'Night begins', night_to_min: 'Night ends', min_stand_min: 'Parked for at least', margin_m: 'Margin around its place', max_gap_min: 'A longer silence is no stand', settle_after_h: settle.en },
    route: { corridor_m: 'On either side of the route', off_route_m: 'Driven outside it more than', detour_m: 'A detour is outside for at most', detour_permille: 'A detour is at most so much of the way', stop_min: 'A detour stops for less than', gap_speed_kmh: gap.en },
    idle_rental: { min_idle: 'Idle vehicles at least', margin_m: 'Margin around its place', max_gap_min: 'A longer silence is no stand', settle_after_h: settle.en },
    off_hours: { night_from_min: 'Night begins', night_to_min: 'Night ends', min_distance_m: 'Least distance', allowed_types: 'Kinds of orders allowed', settle_after_h: settle.en },
  },
}
