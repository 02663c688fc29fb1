export default {
  zh: {
    title: '实时地图', map: '车辆位置图；同样的内容见旁边的车辆列表', list: '车辆列表', plate: '车牌', state: '状态', speed: '速度', fix: '定位时间', unit: '单位',
    alarm: '终端报警', moving: '行驶', idle: '停车未熄火', stopped: '停车', unlocated: '未定位', offline: '离线',
    hint: '离线：10 分钟以上没有新定位，或服务启动后尚未上报；未定位：最新一次上报无有效定位，所示为此前位置',
    states: '按状态', connecting: '正在连接…', open: '实时', polling: '网络代理不支持实时推送，改为每 {seconds} 秒查询一次', behind: '数据滞后：服务器尚未读到最新上报，所示位置可能已过时',
    lost: '连接已中断，所示为 {time} 的位置（{seconds} 秒前），正在重新连接…', lostFirst: '连接已中断，正在重新连接…', refused: '不能查看实时位置', at: '截至 {time}（北京时间）',
    follow: '跟随', unfollow: '取消跟随', closer: '定位', track: '今日轨迹', alerts: '今日预警', close: '关闭', notIn: '此车辆不在可见范围内，或尚无位置', noNews: '尚无位置',
    coordinates: '坐标（WGS-84）', direction: '方向', heard: '定位（北京时间）', category: '车型', energy: '动力', naming: '车辆名单正在更新…', acc: 'ACC', on: '开', off: '关', unknown: '不详',
    kmh: '{value} km/h', points: '北,东北,东,东南,南,西南,西,西北', petrol: '汽油', diesel: '柴油', electric: '纯电', hybrid: '混合动力', gas: '燃气', before: '{age}', position: '车辆情况',
  },
  en: {
    title: 'Live map', map: 'Map of the vehicles; the list beside it says the same', list: 'Vehicles', plate: 'Plate', state: 'State', speed: 'Speed', fix: 'Fix', unit: 'Unit',
    alarm: 'Terminal alarm', moving: 'Moving', idle: 'Standing, ignition on', stopped: 'Standing', unlocated: 'No fix', offline: 'Offline',
    hint: 'Offline: no newer fix for 10 minutes, or not heard of since the server started. No fix: the newest report has no valid position; the one before is shown',
    states: 'By state', connecting: 'Connecting…', open: 'Live', polling: 'A proxy keeps the live line back: asked every {seconds} s instead', behind: 'Late: the server has not read the newest reports yet; positions may be old',
    lost: 'Connection lost. Positions are of {time} ({seconds} s ago); connecting again…', lostFirst: 'Connection lost; connecting again…', refused: 'Live positions cannot be shown', at: 'as of {time} (Beijing time)',
    follow: 'Follow', unfollow: 'Stop following', closer: 'Go there', track: 'Track of today', alerts: 'Alerts of today', close: 'Close', notIn: 'This vehicle is not among those you see, or has no position yet', noNews: 'no position yet',
    coordinates: 'Coordinates (WGS-84)', direction: 'Direction', heard: 'Fix (Beijing time)', category: 'Kind', energy: 'Energy', naming: 'The list of vehicles is being renewed…', acc: 'Ignition', on: 'on', off: 'off', unknown: 'not known',
    kmh: '{value} km/h', points: 'N,NE,E,SE,S,SW,W,NW', petrol: 'petrol', diesel: 'diesel', electric: 'electric', hybrid: 'hybrid', gas: 'gas', before: '{age}', position: 'Vehicle',
  },
}
