export default {
  zh: {
    title: '数据质量', asOf: '截至 {time}（北京时间）', kind: '问题', count: '数量', how: '怎样改', who: '由谁改', first: '首个：{first}', fine: '没有问题', you: '您可以改',
  },
  en: {
    title: 'Data quality', asOf: 'As of {time} (Beijing time)', kind: 'What is wrong', count: 'How many', how: 'What to do', who: 'Who can', first: 'the first: {first}', fine: 'Nothing wrong', you: 'You can',
  },
}
