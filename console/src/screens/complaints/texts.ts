export default {
  zh: {
    list: '12345 诉求', new: '登记诉求', import: '批量导入', ticket: '工单号', received: '受理时间（北京时间）', category: '类别', unit: '所述单位', claim: '诉求内容', channel: '来源',
    categories: { emergency: '紧急', inquiry: '咨询求助', report: '投诉举报' }, channels: { form: '登记', file: '导入', webhook: '系统推送' },
    plate: '所述车牌', place: '地点', happened: '发生时间（北京时间）', unitHint: '不填的，为车辆所属单位', caller: '来电人', phone: '联系电话',
    sealed: '来电人姓名、电话加密保存，督办单里没有，单位看不到；查看须写明理由并记录在案。', save: '登记', needed: '必须填写', near: '相近的车牌：', orders: '前后两小时的派车单', alerts: '前后两小时的预警',
    cases: '督办', case: '督办单', draft: '据此拟稿', noCaller: '没有登记来电人。', why: '查看理由', whyHint: '至少 5 个字，与您的姓名、时间、地址一并记录', reveal: '查看来电人', hide: '隐藏',
    leaveTitle: '尚未登记', leave: '您填写的内容尚未登记，离开本页后将丢失。确定离开？',
    importAbout: 'CSV（UTF-8 或 GBK）或 XLSX，至多 2,000 行、4 MiB。列：工单号、类别、受理时间、诉求内容、车牌号、地点、发生时间、单位、来电人、联系电话。好行写入，坏行逐行说明；已有的工单号不重复登记，改好后可将原文件再次导入。',
    choose: '选择文件并导入', report: '共 {rows} 行，登记 {created} 件，重复 {repeated} 件，未采用 {refused} 件', row: '行', column: '列', flaw: '问题', keepErrors: '下载错误清单', errorFile: '诉求导入错误',
    columns: {
      ticket: '工单号', category: '类别（紧急、咨询求助、投诉举报）', received_at: '受理时间', claim: '诉求内容', plate: '车牌号', place: '地点', happened_at: '发生时间', organisation: '单位',
      caller_name: '来电人', caller_phone: '联系电话',
    },
  },
  en: {
    list: 'Complaints (12345)', new: 'Enter a complaint', import: 'Import a file', ticket: 'Ticket', received: 'Received (Beijing time)', category: 'Kind', unit: 'Unit named', claim: 'What is said', channel: 'Came by',
    categories: { emergency: 'Emergency', inquiry: 'Inquiry', report: 'Report' }, channels: { form: 'Form', file: 'File', webhook: 'System' },
    plate: 'Plate named', place: 'Place', happened: 'Happened (Beijing time)', unitHint: 'left out: that of the car', caller: 'Caller', phone: 'Phone',
    sealed: 'Name and phone are kept encrypted and are in no case; units never see them; who looks gives a reason, which is kept.', save: 'Enter', needed: 'Needed', near: 'Near plates: ', orders: 'Orders within two hours', alerts: 'Alerts within two hours',
    cases: 'Cases', case: 'Case', draft: 'Draft a case', noCaller: 'No caller was entered.', why: 'Why you look', whyHint: 'At least 5 characters; kept with your name, the time and the address', reveal: 'Show the caller', hide: 'Hide',
    leaveTitle: 'Not entered', leave: 'What you have typed is not entered; it is lost when you leave this page. Leave?',
    importAbout: 'CSV (UTF-8 or GBK) or XLSX, at most 2,000 rows and 4 MiB. Columns: 工单号, 类别, 受理时间, 诉求内容, 车牌号, 地点, 发生时间, 单位, 来电人, 联系电话. Good rows are written, each bad row is told; tickets that are there already are not entered again, so the whole file may be sent once more.',
    choose: 'Choose a file and import it', report: '{rows} rows: {created} entered, {repeated} repeated, {refused} refused', row: 'Row', column: 'Column', flaw: 'What is wrong', keepErrors: 'Download the errors', errorFile: 'complaint-errors',
    columns: {
      ticket: '工单号 (ticket)', category: '类别 (紧急, 咨询求助 or 投诉举报)', received_at: '受理时间 (received)', claim: '诉求内容 (claim)', plate: '车牌号 (plate)', place: '地点 (place)',
      happened_at: '发生时间 (happened)', organisation: '单位 (unit)', caller_name: '来电人 (caller)', caller_phone: '联系电话 (phone)',
    },
  },
}
