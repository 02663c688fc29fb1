export default {
  zh: { list: '消息', at: '时间（北京时间）', text: '内容', read: '已读', unread: '未读', only: '只看未读', all: '全部', mark: '全部标为已读', marked: '已标为已读：{count} 条', number: '督办编号' },
  en: { list: 'Messages', at: 'Time (Beijing)', text: 'What', read: 'Read', unread: 'Unread', only: 'Unread only', all: 'All', mark: 'Mark all as read', marked: 'Marked as read: {count}', number: 'Number' },
}
