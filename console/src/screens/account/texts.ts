export default {
  zh: {
    title: '我的账户', passwordNote: '修改后其他会话全部结束，本页继续有效。', totp: '动态验证码', on: '已启用', off: '未启用', totpNote: '登录时除密码外再输入手机验证器上的 6 位数字。', left: '剩余恢复码 {count} 个',
    renew: '更换恢复码', renewNote: '原有恢复码全部作废。', stop: '关闭动态验证码', stopNote: '关闭后仅凭密码登录。', begin: '启用动态验证码', next: '下一步', enter: '在验证器中选择“手动输入密钥”，填入：', openApp: '在本机验证器中打开', openAppNote: '（本机装有验证器时可用）', confirm: '确认启用',
    recovery: '恢复码', recoveryNote: '验证器丢失时，每个恢复码可代替验证码使用一次。请打印或抄写后妥善保管。', totpOff: '已关闭动态验证码',
    sessions: '登录会话', began: '登录时间', seen: '最近使用', ends: '到期时间', address: '地址', agent: '浏览器', method: '方式', action: '操作', methods: { password: '密码', 'password+code': '密码和验证码', oidc: '统一身份' }, this: '本次会话', end: '结束', endOthers: '结束其他会话', endOthersText: '除本页外的会话全部结束。确定？', done: '已完成',
    messages: '消息通道', add: '添加通道', messagesNote: '督办等消息发往已确认的通道；地址只显示一部分。', channel: '通道', kinds: { email: '邮箱', webhook: 'Webhook', wecom: '企业微信', dingtalk: '钉钉', feishu: '飞书' }, to: '地址', state: '状态', waiting: '等待', dead: '未送达', addressHint: '邮箱，或以 https:// 开头的地址；会收到一个确认码',
    unconfirmed: '待确认', failing: '发送失败', enterCode: '输入确认码', anotherCode: '重发确认码', switchOn: '启用', switchOff: '停用', dropText: '删除通道 {address}。确定？', signing: '签名密钥', code: '确认码', noChannels: '没有通道，消息只在本系统内显示',
    quiet: '免打扰时段', quietFrom: '从', quietTo: '到', quietNote: '北京时间，可跨零点，留空为不设；紧急消息不受限制', letters: '发送记录', made: '时间', case: '督办编号', error: '错误', aCode: '确认码', letterState: { waiting: '等待', sent: '已发送', dead: '未送达' }, resend: '重新发送',
    roles: '我的角色', role: '角色', unit: '单位', giver: '委托人', everywhere: '全部单位', noRoles: '没有角色，请联系系统管理员', delegations: '委托', delegate: '委托我的角色', delegateNote: '受托人在期限内以您的角色办理，记录中同时载明两人；到期自动结束，不能再转委托。', delegateTo: '受托人', period: '期限', reason: '理由',
    fromTime: '起始时间', fromHint: '留空即从现在起', toTime: '终止时间', longest: '最长 92 天', noDelegations: '没有委托', endText: '立即结束这项委托。确定？',
  },
  en: {
    title: 'My account', passwordNote: 'All other sessions end; this page goes on.', totp: 'Second factor', on: 'on', off: 'off', totpNote: 'Besides the password, the 6 digits of an authenticator are asked for.', left: '{count} recovery codes left',
    renew: 'Other recovery codes', renewNote: 'The old ones are void.', stop: 'Switch it off', stopNote: 'Then the password alone lets you in.', begin: 'Switch on a second factor', next: 'Next', enter: 'In your authenticator choose to enter a key by hand:', openApp: 'Open in an authenticator of this machine', openAppNote: '(where there is one)', confirm: 'Confirm',
    recovery: 'Recovery codes', recoveryNote: 'When the authenticator is lost, each stands for a code once. Print them or write them down, and keep them well.', totpOff: 'The second factor is off',
    sessions: 'Sessions', began: 'Began', seen: 'Last used', ends: 'Ends', address: 'Address', agent: 'Browser', method: 'By', action: 'Action', methods: { password: 'password', 'password+code': 'password and code', oidc: 'identity provider' }, this: 'this one', end: 'End', endOthers: 'End the others', endOthersText: 'End all sessions but this one?', done: 'Done',
    messages: 'Where messages go', add: 'Add', messagesNote: 'Messages go where an address was confirmed; of addresses a part is shown.', channel: 'Kind', kinds: { email: 'e-mail', webhook: 'webhook', wecom: 'WeCom', dingtalk: 'DingTalk', feishu: 'Feishu' }, to: 'Address', state: 'State', waiting: 'Waiting', dead: 'Given up', addressHint: 'an e-mail address, or one that begins with https://; a code is sent to it',
    unconfirmed: 'to be confirmed', failing: 'failing', enterCode: 'Enter the code', anotherCode: 'Another code', switchOn: 'Switch on', switchOff: 'Switch off', dropText: 'Delete {address}?', signing: 'Signing secret', code: 'Code', noChannels: 'None: messages are seen here only',
    quiet: 'Quiet hours', quietFrom: 'From', quietTo: 'to', quietNote: 'Beijing time, also over midnight; empty: none. Urgent ones come at any time', letters: 'What was sent', made: 'Time', case: 'Case', error: 'Error', aCode: 'a code', letterState: { waiting: 'waiting', sent: 'sent', dead: 'given up' }, resend: 'Send again',
    roles: 'My roles', role: 'Role', unit: 'Unit', giver: 'Of', everywhere: 'all units', noRoles: 'No roles: ask the administrator', delegations: 'Delegations', delegate: 'Delegate a role', delegateNote: 'The other person acts in your role for a while; both are named in records. It ends by itself and goes no further.', delegateTo: 'To', period: 'Period', reason: 'Reason',
    fromTime: 'From', fromHint: 'empty: now', toTime: 'Until', longest: '92 days at most', noDelegations: 'No delegations', endText: 'End this delegation now?',
  },
}
