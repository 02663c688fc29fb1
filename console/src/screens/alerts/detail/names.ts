// Names of the numbers and thresholds of the rules: ``t('alerts.detail.name.…')``.
const NAMES: Record<string, readonly [zh: string, en: string]> = {
  farthest_m: ['离围栏最远', 'farthest from the fence'], min_displacement_m: ['起判位移', 'least displacement'], distance_m: ['行驶里程', 'driven'],
  bridged_m: ['其中推算里程', 'of it bridged'], fixes: ['定位数', 'fixes'], terminals_apart_m: ['两台终端相距', 'terminals apart'], episode_idle_min: ['停车多久算结束', 'parked for'],
  early_start_min: ['派车单提前覆盖', 'order covers ahead'], track_fixes: ['冻结轨迹的定位', 'fixes of the frozen track'], orders_at_start: ['驶出时的派车单', 'orders when it left'],
  nearest_m: ['最近距离', 'nearest'], radius_m: ['目的地半径', 'radius'], destination: ['目的地', 'destination'], lat: ['纬度', 'latitude'], lon: ['经度', 'longitude'],
  gap_s: ['中断起算', 'gap from'], gap_speed_kmh: ['中断期间假定车速', 'speed taken for gaps'], max_speed_kmh: ['可信最高车速', 'fastest that is believed'],
  ratio_permille: ['倍数', 'ratio'], mileage_m: ['实际里程', 'driven'], navigation_m: ['导航里程', 'by navigation'], mileage_mm: ['实际里程', 'driven'], bridged_mm: ['推算里程', 'bridged'],
  seen_mm: ['实际里程（不含推算）', 'driven without what is bridged'], most_mm: ['限定里程', 'limit'], odometer_m: ['里程表', 'odometer'], odometer_differs: ['里程表与轨迹不符', 'odometer differs'],
  odometer_fault: ['里程表故障', 'odometer faulty'], local_m: ['目的地周边行驶', 'driven around a destination'], engine: ['导航引擎', 'engine'], map_date: ['地图日期', 'date of the map'],
  short_trip_m: ['短途界限', 'short trip below'], local_radius_m: ['目的地周边半径', 'radius around a destination'], odometer_differs_permille: ['里程表容差', 'odometer tolerance'], leave_out_local: ['扣除目的地周边', 'leave out local driving'],
  current_consumption: ['本月百公里', 'this month per 100 km'], baseline_consumption: ['前期百公里', 'before per 100 km'], current_quantity: ['本月加注', 'filled this month'], baseline_quantity: ['前期加注', 'filled before'],
  current_mileage_m: ['本月里程', 'driven this month'], baseline_mileage_m: ['前期里程', 'driven before'], current_fills: ['本月加注次数', 'fills this month'], baseline_fills: ['前期加注次数', 'fills before'],
  current_least: ['本月至少用', 'used at least this month'], baseline_most: ['前期至多用', 'used at most before'], baseline_months: ['前期月数', 'months before'], last_year_consumption: ['上年同月百公里', 'same month of last year per 100 km'],
  left_out_fills: ['未计入的加注', 'fills left out'], vehicles_not_driven_before: ['前期未驾驶的车', 'vehicles not driven before'], classes: ['车型数', 'classes of vehicles'], all_quantity: ['全部加注', 'all fills'], all_mileage_m: ['全部里程', 'all kilometres'],
  min_km: ['最少里程', 'least kilometres'], min_fills: ['最少次数', 'least number of fills'], min_coverage_permille: ['最低覆盖', 'least coverage'], tank_default_l: ['默认油箱', 'tank where unknown'], battery_default_kwh: ['默认电池', 'battery where unknown'],
  spans: ['非公务车时段', 'stretches without an official vehicle'], none: ['没有', 'none'], wrong_s: ['合计时长', 'in all'], grace_days: ['宽限', 'grace'], unbound_s: ['未绑定时长', 'unbound for'], card_status: ['油卡状态', 'state of the card'], vehicles_of_plate: ['该车牌登记的车辆', 'vehicles of the plate'],
  station_radius_m: ['加油站半径', 'radius of the station'], polygon_margin_m: ['站界外延', 'margin of the station'], window_min: ['前后时间窗', 'window before and after'], min_stop_s: ['最短停留', 'least stop'], stop_s: ['确知停留', 'stopped for certain'], stop_kmh: ['停留车速', 'speed of a stop'],
  coverage_permille: ['轨迹覆盖', 'covered by the track'], at_off_s: ['最近定位与加油相差', 'nearest fix off by'], at_distance_m: ['该定位距加油站', 'that fix from the station'], at_lat_e6: ['该定位纬度', 'its latitude'], at_lon_e6: ['该定位经度', 'its longitude'],
  quantity: ['数量', 'quantity'], amount_fen: ['金额', 'amount'], fills: ['加油次数', 'fills'], payments: ['笔数', 'payments'], without_time: ['仅有入账时间', 'time of booking only'], fuel_quantity: ['加油量', 'fuel'], electric_quantity: ['充电量', 'charged'],
  merge_min: ['合并时限', 'merged within'], count_charging: ['充电计入', 'charging counts'], violations: ['一个月内违章', 'violations within a month'], min_violations: ['起判次数', 'least number'], listed: ['列出的违章', 'listed'], not_counted: ['不计入的记录', 'not counted'],
  parking: ['停车类', 'parking'], same_act: ['同一行为', 'same act'], natural_month: ['按自然月', 'natural months'], by_driver: ['按驾驶员', 'by driver'], count_parking: ['停车类计入', 'parking counts'], same_act_min: ['同一行为时限', 'same act within'], drive_speed_kmh: ['可行驶车速', 'speed that can be driven'],
  silence_min: ['失联时长', 'silent for'], min_silence_min: ['起判时长', 'least silence'], displacement_m: ['失联前后位移', 'displaced'], peers_reporting: ['同期定位正常的车', 'others seen'], peers_silent: ['同期失联的车', 'others silent'], peers_share: ['定位正常的占比', 'share of others seen'], min_peers: ['最少同伴', 'least others'], peers_permille: ['最低占比', 'least share'],
  silences: ['当日失联次数', 'silences that day'], unplugged: ['断电', 'power lost'], unplugged_silences: ['断电次数', 'losses of power'], ordered_min: ['其中有派车单', 'of it under orders'], reports_without_fix: ['无定位的上报', 'reports without a fix'], contradictions: ['定位与里程表矛盾', 'fixes against odometer'],
  contradiction_odometer_m: ['矛盾处里程表', 'odometer there'], contradiction_moved_m: ['矛盾处位移', 'moved there'], min_contradiction_m: ['矛盾起判', 'contradiction from'], day_positions: ['当日定位', 'fixes of the day'], settle_after_h: ['结束后多久判', 'judged after'], max_age_days: ['轨迹最多回溯', 'tracks go back'],
  night_m: ['夜间里程', 'by night'], day_m: ['休息日白天里程', 'by day'], seen_m: ['里程（不含推算）', 'driven without what is bridged'], min_distance_m: ['起判里程', 'least distance'], driving_s: ['行驶时长', 'driving'], positions: ['时段内定位', 'fixes within'], day: ['日期', 'day'], worked: ['工作日', 'working day'], day_name: ['日子', 'kind of day'],
  away_m: ['离停放处', 'from where it stood'], grace_min: ['封存起止不计', 'not counted at either end'], sealed_why: ['封存原因', 'sealed for'], tank: ['油箱容积', 'the tank holds'], before: ['上次加油量', 'filled before'],
  burnt: ['其间油耗至多', 'burnt in between at most'], tank_most: ['箱容含容差', 'the tank with the tolerance'], filled_both: ['两次合计', 'both fills'], room: ['至多能加', 'room at most'],
  tolerance_permille: ['箱容容差', 'tolerance of the tank'], min_tank_l: ['箱容小于此视为未登记', 'a smaller tank is not known'], burn_l_100km: ['百公里油耗至多', 'burnt per 100 km at most'], idle_ml_h: ['怠速每小时至多', 'burnt per hour at rest at most'],
  lookback_days: ['上次加油至多多久以前', 'the fill before at most so old'], stood_s: ['停放时长', 'stood for'], beyond_m: ['离停放区域', 'beyond its place'], least_s: ['停放至少', 'at least'],
  min_stand_min: ['停放至少多久', 'least stand'], margin_m: ['停放区域外扩', 'margin of its place'], max_gap_min: ['中断超过此值不算', 'a longer silence does not count'], night: ['当夜', 'night of'],
  night_from_min: ['夜间自', 'night from'], night_to_min: ['夜间至', 'night to'], allowed_types: ['派车单允许的任务', 'tasks that an order allows'],
}

const part = (place: 0 | 1): Record<string, string> => Object.fromEntries(Object.entries(NAMES).map(([name, words]) => [name, words[place]]))

export default { zh: part(0), en: part(1) }
