export default {
  zh: {
    title: '运行状况', grafana: '在 Grafana 中查看（另一系统，新标签页）', now: '进程现状', asOf: '截至 {time}（北京时间）', versions: '版本 {versions}，数据库结构 {schema}', stale: '数据已过时，最近一次获取于 {age}',
    calm: '没有告警（已检查 {count} 项）', none: '最近一天没有进程记录过运行数据', processes: '各进程', process: '进程', instance: '实例', stateNow: '状态', version: '版本',
    started: '启动（北京时间）', last: '最近记录（北京时间）', memory: '内存', disk: '磁盘剩余', lag: '入库滞后', connections: '连接',
    processState: { running: '运行中', stopped: '已停止', silent: '无消息', replaced: '已被替换' }, alarm: { critical: '严重', warning: '警告' },
    baseMap: '底图 {source}（数据 {day}）', range: '时间', hours: '最近 {hours} 小时', step: '每点 {step} 秒', time: '时间（北京时间）',
    chart: {
      positions: '定位：接收、日志已确认、入库（条/秒）', rejects: '拒绝原因（条/秒）', reply: '应答用时', append: '日志写入用时', lag: '入库滞后', memory: '内存（各进程）',
      cpu: 'CPU（各进程，核）', disk: '磁盘剩余（各进程所在盘）',
    },
  },
  en: {
    title: 'Operations', grafana: 'Open Grafana (another system, a new tab)', now: 'Processes now', asOf: 'As of {time} (Beijing time)', versions: 'version {versions}, schema {schema}', stale: 'Out of date: last fetched {age}',
    calm: 'No alarms ({count} checked)', none: 'No process has noted its figures in the last day', processes: 'Processes', process: 'Process', instance: 'Instance', stateNow: 'State', version: 'Version',
    started: 'Started (Beijing)', last: 'Last noted (Beijing)', memory: 'Memory', disk: 'Disk free', lag: 'Lag', connections: 'Connections',
    processState: { running: 'Running', stopped: 'Stopped', silent: 'Silent', replaced: 'Replaced' }, alarm: { critical: 'Critical', warning: 'Warning' },
    baseMap: 'Base map {source} (data of {day})', range: 'Time', hours: 'Last {hours} h', step: '{step} s a point', time: 'Time (Beijing)',
    chart: {
      positions: 'Positions: received, confirmed by the log, stored (a second)', rejects: 'Refused by reason (a second)', reply: 'Time to reply', append: 'Time of appends', lag: 'Lag of storing', memory: 'Memory (each process)',
      cpu: 'CPU (each process, cores)', disk: 'Disk free (each process)',
    },
  },
}
