// Colours of charts: read from the tokens of the page when a chart is made, so that both appearances have theirs.

/** Lines and bars in turn; each also has a dash or a pattern of its own, so that no colour is needed to tell them apart. */
const NAMES = ['--el-color-primary', '--el-color-warning', '--el-color-success', '--el-color-danger', '--el-color-info'] as const
export const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4]] as const

export interface ChartColours {
  series: string[]
  text: string
  faint: string
  line: string
  surface: string
}

export function coloursOf(element: Element = document.documentElement): ChartColours {
  const style = getComputedStyle(element)
  const token = (name: string): string => style.getPropertyValue(name).trim() || '#1d4f91'
  return {
    series: NAMES.map(token), text: token('--el-text-color-primary'), faint: token('--el-text-color-secondary'), line: token('--line'),
    surface: token('--surface'),
  }
}

export const FONT = '"Microsoft YaHei", "PingFang SC", "Noto Sans CJK SC", "Source Han Sans SC", sans-serif'
