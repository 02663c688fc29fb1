export default {
  zh: {
    title: '驾驶任务', none: '现在没有您的任务', noneText: '派给您的车会出现在这里，消息里也会提醒。', departs: '{time} 出发', returns: '{time} 返回', overdue: '逾期 {minutes} 分钟',
    kept: '没有网络：这是 {time} 的内容。出车、归队照常登记，有网络后自动上传。', queued: '待上传', queuedText: '{step}已登记（{time}），有网络后自动上传。', sending: '正在上传…', refused: '未被接受', discard: '删除这条登记', discardSure: '删除后须重新登记，或请调度员代登。', retry: '再传一次',
    recorded: '已登记{step}', later: '已登记，待上传', away: '手机离线可用：在浏览器菜单中选“添加到主屏幕”。', closed: '浏览器不能保存离线登记，请保持网络，或请调度员代登。', over: '其他单的登记',
  },
  en: {
    title: 'My drives', none: 'No drives for you now', noneText: 'What is assigned to you is shown here, and among the messages.', departs: 'departs {time}', returns: 'returns {time}', overdue: '{minutes} min overdue',
    kept: 'No network: this is what was known at {time}. Departures and returns can be entered; they are sent when there is a network.', queued: 'Waits to be sent', queuedText: '{step} entered ({time}); it is sent when there is a network.', sending: 'Being sent …', refused: 'Not accepted', discard: 'Drop this entry', discardSure: 'It has to be entered anew then, or by a dispatcher.', retry: 'Send again',
    recorded: 'Entered: {step}', later: 'Entered; it waits to be sent', away: 'Works without a network: choose “Add to home screen” in the browser.', closed: 'This browser cannot keep entries: stay in reach of a network, or ask the dispatcher.', over: 'Entries of other dispatches',
  },
}
