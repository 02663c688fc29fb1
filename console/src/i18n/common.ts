// Texts that several screens use. A screen keeps its own in screens/<name>/texts.ts.
export default {
  zh: {
    app: { name: '公务用车监管', skip: '跳到正文', about: '时间均为北京时间，坐标为 WGS-84' },
    group: { work: '办理', map: '地图', records: '台账', statistics: '统计', operations: '运维', administration: '管理' },
    action: {
      save: '保存', cancel: '取消', close: '关闭', retry: '重试', search: '查询', reset: '重置', refresh: '刷新', delete: '删除',
      confirm: '确定', back: '返回', open: '打开', more: '加载更多', export: '导出', print: '打印', signOut: '退出登录',
    },
    shell: {
      navigation: '主导航', mine: '我的账户', account: '账户', language: '语言', theme: '外观', light: '浅色', dark: '深色', auto: '跟随系统',
      large: '大字', normal: '标准字号', menu: '收起或展开导航', docs: '接口文档', messages: '消息：{count} 条未读',
    },
    state: {
      loading: '正在加载…', empty: '没有符合条件的记录', emptyHint: '可放宽查询条件后再试', stale: '数据已过时，获取于 {time}',
      lost: '与服务器的连接已中断，正在重新连接…页面上的内容可能已过时', back: '已重新连接，内容已更新', slow: '服务器响应较慢，仍在等待…',
      allShown: '共 {count} 条', someShown: '已加载 {count} 条，向下滚动继续加载', selected: '已选 {count} 条',
      clearSelection: '取消选择', keys: '键盘：j / k 移动，Enter 打开', keysSelect: '键盘：j / k 移动，Enter 打开，x 选择', selectAll: '全选已加载的', selectRow: '选择本行', sort: '按{column}排序',
    },
    problem: { more: '共 {count} 处错误，列出前 {shown} 处', row: '第 {row} 行', wait: '请在 {seconds} 秒后重试' },
    clock: {
      behind: '本机时钟比服务器慢 {off}。页面上的时间和期限以服务器时间为准，请校准本机时钟。', ahead: '本机时钟比服务器快 {off}。页面上的时间和期限以服务器时间为准，请校准本机时钟。',
      minutes: '{count} 分钟', hours: '{count} 小时', days: '{count} 天',
    },
    news: {
      live: '实时更新', connecting: '正在连接实时推送…', polling: '网络代理不支持实时推送，改为每 {seconds} 秒查询一次', lost: '实时推送已中断，正在重新连接…', refused: '不能接收实时推送，请手工刷新',
      came: '新到 {count} 条：{what}', more: '有 {count} 条新的或已变更的预警，点击显示', fresh: '新',
    },
    noRight: { title: '没有权限', text: '您的角色不能查看此页面。如工作需要，请联系本单位的系统管理员授予角色。' },
    notFound: { title: '页面不存在', text: '地址有误，或该页面已移走。', home: '回到首页' },
    broken: { title: '页面出错', text: '请刷新页面；若仍出错，请告知运维人员。' },
    expired: {
      title: '登录已过期', text: '您填写的内容仍在页面上。请重新登录后继续。', other: '此前登录的是 {name}。换人登录将重新打开页面。',
    },
    login: {
      title: '登录', name: '用户名', password: '密码', code: '动态验证码', codeHint: '请输入验证器上的 6 位数字，或一个恢复码',
      submit: '登录', provider: '统一身份认证登录', wait: '失败次数过多，请等待 {seconds} 秒', show: '显示密码',
      secrecy: '本系统不得处理国家秘密信息', missing: '请输入用户名和密码', working: '正在登录…', showAria: '显示或隐藏密码',
    },
    password: {
      title: '修改密码', forced: '您使用的是一次性密码，请先设置自己的密码。', old: '当前密码', new: '新密码', again: '再次输入新密码',
      hint: '至少 10 个字符；一句容易记住的话最好', differ: '两次输入的新密码不一致', short: '新密码至少 10 个字符', done: '密码已修改',
    },
    views: { title: '常用视图', save: '保存当前视图', name: '视图名称', none: '尚未保存视图', remove: '删除视图 {name}' },
    filters: { title: '查询条件', from: '开始日期', to: '结束日期', any: '全部', plate: '车牌', dayHint: '如 3月2日', badDay: '无法识别的日期', badPlate: '无法识别的车牌' },
    map: {
      loading: '正在打开地图…', closer: '放大', farther: '缩小', all: '显示全部', plain: '无底图', simple: '浏览器不支持 WebGL2，以简图显示',
      own: '本系统底图', ground: '底图', dated: '底图数据 {day}', failed: '部分底图未能取得', shifted: '显示为 GCJ-02（已换算，存储为 WGS-84）', coordinates: '坐标 {datum}，已换算到图上',
      makeOne: '尚无底图：在服务器上运行 gongche basemap prepare，见 docs/base-map.md', damaged: '底图文件损坏：请重新运行 gongche basemap prepare',
    },
    form: {
      seeFields: '未写入，请更正上面标出的内容。', missing: '必须填写', moment: '无法识别的时间', day: '写明年份，如 2026-03-02', money: '应为金额，至多两位小数', thousandths: '应为数字，至多三位小数', whole: '应为整数', momentHint: '如 2026-03-02 08:30（北京时间）', yes: '是', once: '仅显示这一次，关闭后无法再查看。', copy: '复制', copied: '已复制',
      copyByHand: '浏览器不允许复制，请选中后手工复制', kept: '我已妥善保存',
    },
    purpose: { text: '您的角色查看此内容须说明用途，用途将记入审计日志。', ask: '请说明查询用途', hint: '如：3月油费核对', show: '查看' },
    paper: {
      show: '查看', hide: '收起', save: '下载', apart: '在新标签页打开', close: '收起', making: '正在生成…', frame: '{name}（PDF）', noViewer: '此浏览器不能在页面中显示 PDF，请下载后打开。',
      picture: '{name}（图片）', noPicture: '图片不能显示，请下载后打开。',
    },
    files: {
      attach: '添加附件', photograph: '拍照上传', hint: 'PDF、图片、DOCX、XLSX、文本，每个至多 20 MiB；照片里的拍摄地点自动删除', uploading: '正在上传 {name}', tooLarge: '超过 20 MiB，请压缩或分成几个文件。', none: '还没有附件。',
    },
    steps: {
      thread: '办理经过', done: '已办理：{step}', notNow: '现在不能办理', delegated: '受委托', reason: '理由', fiveLeast: '至少 5 个字', nothing: '您现在没有要办理的事项。',
      movedTitle: '他人先办理了一步', movedAny: '其间已有新的办理，页面已更新。您填写的内容还在；核对后再次提交，即按最新的内容办理。',
      moved: '{by} 刚才已办理“{step}”（{time}）。您填写的内容还在；核对后再次提交，即按最新的内容办理。',
    },
    versions: {
      title: '两份内容', field: '项目', mine: '我的填写', theirs: '现在的内容', take: '按所选合并', theirsAll: '载入最新内容（放弃我的填写）', mineAll: '仍按我的内容保存', empty: '（空）',
      text: '您打开之后，他人已修改此记录；您的填写尚未保存。请逐项选择，合并后再保存。只有对方改动而您未动的项目，已预选对方的内容。', merged: '已合并，请核对后保存',
    },
    chart: { table: '数据表', time: '北京时间', empty: '这段时间没有数据' },
    units: { title: '单位', all: '全部单位', search: '查找单位', none: '没有单位' },
    rule: {
      location: '定位异常', destination: '目的地异常', mileage: '里程数异常', fuel_consumption: '油耗异常', card_binding: '油卡绑定异常',
      card_use: '油卡使用异常', refuel_frequency: '加油频率异常', traffic_violations: '违章异常', terminal_silent: '终端失联',
      off_hours: '非工作时间用车', sealed: '封存车辆移动', tank: '加油超箱容', parking: '停放异常',
      route: '行驶路线异常', idle_rental: '租赁期间自有车辆闲置',
    },
    severity: { low: '低', medium: '中', high: '高' },
    alertStatus: { suspected: '疑似', withdrawn: '已撤销' },
    finding: {
      none: '尚未认定', violation: '属实违规', irregular: '程序不规范', justified: '合理使用', data: '数据问题', unverifiable: '无法核实',
    },
    caseState: {
      none: '未督办', draft: '拟稿', submitted: '待签发', issued: '已下达', refused: '退件待审', working: '办理中', extension_asked: '延期待批',
      replied: '待核销', calling_back: '回访', redo: '退回重办', closed: '已核销', cancelled: '撤销',
    },
  },
  en: {
    app: { name: 'Official vehicles', skip: 'Skip to the content', about: 'All times are Beijing time, coordinates WGS-84' },
    group: { work: 'Work', map: 'Map', records: 'Records', statistics: 'Statistics', operations: 'Operations', administration: 'Administration' },
    action: {
      save: 'Save', cancel: 'Cancel', close: 'Close', retry: 'Try again', search: 'Search', reset: 'Reset', refresh: 'Refresh', delete: 'Delete',
      confirm: 'OK', back: 'Back', open: 'Open', more: 'Load more', export: 'Export', print: 'Print', signOut: 'Sign out',
    },
    shell: {
      navigation: 'Main navigation', mine: 'My account', account: 'Account', language: 'Language', theme: 'Appearance', light: 'Light', dark: 'Dark', auto: 'As the system',
      large: 'Large letters', normal: 'Usual letters', menu: 'Fold or unfold the navigation', docs: 'API documentation', messages: 'Messages: {count} unread',
    },
    state: {
      loading: 'Loading…', empty: 'No records match', emptyHint: 'Try wider filters', stale: 'Out of date, fetched {time}',
      lost: 'The connection to the server is lost; trying again. What is shown may be out of date', back: 'Connected again, and up to date', slow: 'The server is slow to answer; still waiting…',
      allShown: '{count} in all', someShown: '{count} loaded; scroll down for more', selected: '{count} selected',
      clearSelection: 'Clear the selection', keys: 'Keys: j / k move, Enter opens', keysSelect: 'Keys: j / k move, Enter opens, x selects', selectAll: 'Select all that are loaded', selectRow: 'Select this row', sort: 'Order by {column}',
    },
    problem: { more: '{count} errors, the first {shown} are listed', row: 'Row {row}', wait: 'Try again in {seconds} s' },
    clock: {
      behind: 'The clock of this desktop is {off} behind the server. Times and deadlines on the pages are the server\'s; please set the clock.', ahead: 'The clock of this desktop is {off} ahead of the server. Times and deadlines on the pages are the server\'s; please set the clock.',
      minutes: '{count} min', hours: '{count} h', days: '{count} d',
    },
    news: {
      live: 'Live', connecting: 'Connecting…', polling: 'A proxy keeps the live line back: asked every {seconds} s instead', lost: 'The live line is broken; connecting again…', refused: 'No live line: refresh by hand',
      came: '{count} new: {what}', more: '{count} alerts are new or have changed: show them', fresh: 'new',
    },
    noRight: { title: 'Not allowed', text: 'Your role does not show this page. If your work needs it, ask the administrator of your unit for the role.' },
    notFound: { title: 'No such page', text: 'The address is wrong, or the page has moved.', home: 'To the start' },
    broken: { title: 'The page failed', text: 'Load the page again; if it fails again, tell the operators.' },
    expired: {
      title: 'Your session has ended', text: 'What you have entered is still on the page. Sign in again to go on.', other: '{name} was signed in before. Another person opens the page anew.',
    },
    login: {
      title: 'Sign in', name: 'Login name', password: 'Password', code: 'Code', codeHint: 'The 6 digits of your authenticator, or a recovery code',
      submit: 'Sign in', provider: 'Sign in by the identity provider', wait: 'Too many failures: wait {seconds} s', show: 'Show the password',
      secrecy: 'No state secrets may be handled in this system', missing: 'Enter login name and password', working: 'Signing in…', showAria: 'Show or hide the password',
    },
    password: {
      title: 'Change the password', forced: 'You came in with a one-time password. Choose one of your own first.', old: 'Present password', new: 'New password', again: 'New password again',
      hint: 'At least 10 characters; a sentence that you remember is best', differ: 'The two new passwords differ', short: 'At least 10 characters', done: 'The password is changed',
    },
    views: { title: 'Saved views', save: 'Save this view', name: 'Name of the view', none: 'No views saved', remove: 'Delete the view {name}' },
    filters: { title: 'Filters', from: 'From', to: 'To', any: 'All', plate: 'Plate', dayHint: 'like 3月2日', badDay: 'No day', badPlate: 'No plate' },
    map: {
      loading: 'Opening the map…', closer: 'Closer', farther: 'Farther', all: 'Show all', plain: 'no base map', simple: 'no WebGL2 in this browser: a plain drawing',
      own: 'Our base map', ground: 'Base map', dated: 'map data of {day}', failed: 'some of the base map could not be had', shifted: 'shown in GCJ-02 (converted; stored as WGS-84)', coordinates: 'coordinates in {datum}, converted for the map',
      makeOne: 'No base map yet: run gongche basemap prepare on the server, see docs/base-map.md', damaged: 'The base map is damaged: run gongche basemap prepare again',
    },
    form: {
      seeFields: 'Not written: mend what is marked above.', missing: 'Required', moment: 'No time', day: 'With the year, as 2026-03-02', money: 'A sum, two decimals at most', thousandths: 'A number, three decimals at most', whole: 'A whole number', momentHint: 'like 2026-03-02 08:30 (Beijing)', yes: 'Yes', once: 'Shown this once: it cannot be seen again after closing.', copy: 'Copy', copied: 'Copied',
      copyByHand: 'The browser does not allow it: select it and copy by hand', kept: 'I have kept it',
    },
    purpose: { text: 'Your role has to say what this is read for; it is kept in the audit.', ask: 'What do you read it for?', hint: 'like: fuel costs of March', show: 'Show' },
    paper: {
      show: 'Show', hide: 'Hide', save: 'Download', apart: 'Open in a new tab', close: 'Hide', making: 'Being made…', frame: '{name} (PDF)', noViewer: 'This browser shows no PDF in a page: download it, then open it.',
      picture: '{name} (picture)', noPicture: 'The picture cannot be shown: download it, then open it.',
    },
    files: {
      attach: 'Attach files', photograph: 'Take a photograph', hint: 'PDF, pictures, DOCX, XLSX, text; at most 20 MiB each; places in photographs are removed', uploading: 'Sending {name}', tooLarge: 'More than 20 MiB: make it smaller, or several files.', none: 'No files yet.',
    },
    steps: {
      thread: 'What was done', done: 'Done: {step}', notNow: 'Not possible now', delegated: 'delegated', reason: 'Reason', fiveLeast: 'Five characters at least', nothing: 'There is nothing for you to do now.',
      movedTitle: 'Somebody was first', movedAny: 'It has moved on, and the page is up to date. What you typed is still there; look again, and press once more to go on from there.',
      moved: '{by} has just done "{step}" ({time}). What you typed is still there; look again, and press once more to go on from there.',
    },
    versions: {
      title: 'Two versions', field: 'Field', mine: 'Mine', theirs: 'As it is now', take: 'Merge as chosen', theirsAll: 'Load what is new (drop mine)', mineAll: 'Save mine all the same', empty: '(empty)',
      text: 'Somebody else has changed this record since you opened it; yours is not saved. Choose for each field, merge, then save. What only the other one has changed is chosen already.', merged: 'Merged: look at it, then save',
    },
    chart: { table: 'Table', time: 'Beijing time', empty: 'Nothing is known of this time' },
    units: { title: 'Units', all: 'All units', search: 'Find a unit', none: 'No units' },
    rule: {
      location: 'Location', destination: 'Destination', mileage: 'Mileage', fuel_consumption: 'Fuel consumption', card_binding: 'Card binding',
      card_use: 'Card use', refuel_frequency: 'Refuelling frequency', traffic_violations: 'Traffic violations', terminal_silent: 'Terminal silent',
      off_hours: 'Off-hours use', sealed: 'Sealed vehicle moved', tank: 'More than the tank', parking: 'Parked elsewhere',
      route: 'Off the designated route', idle_rental: 'Own vehicle idle during a rental',
    },
    severity: { low: 'Low', medium: 'Medium', high: 'High' },
    alertStatus: { suspected: 'Suspected', withdrawn: 'Withdrawn' },
    finding: {
      none: 'None yet', violation: 'Violation', irregular: 'Irregular', justified: 'Justified', data: 'Data problem', unverifiable: 'Not verifiable',
    },
    caseState: {
      none: 'No case', draft: 'Draft', submitted: 'Submitted', issued: 'Issued', refused: 'Refused', working: 'In work', extension_asked: 'Extension asked',
      replied: 'Replied', calling_back: 'Calling back', redo: 'Redo', closed: 'Closed', cancelled: 'Cancelled',
    },
  },
}
