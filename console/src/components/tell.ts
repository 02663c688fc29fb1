// Short words to the person: something was done; is it meant? Both show text, never markup.
import 'element-plus/es/components/message/style/css'
import 'element-plus/es/components/message-box/style/css'

import { ElMessage, ElMessageBox } from 'element-plus'

import { i18n } from '@/i18n'

/** Says for a few seconds that something was done. What failed is shown by ProblemNotice, where it stays. */
export function told(text: string): void {
  ElMessage({ message: text, type: 'success', grouping: true })
}

/** Asks before what cannot be taken back; true = yes. */
export async function confirmed(title: string, text: string, yes: string = i18n.global.t('action.confirm')): Promise<boolean> {
  try {
    await ElMessageBox.confirm(text, title, {
      type: 'warning', confirmButtonText: yes, cancelButtonText: i18n.global.t('action.cancel'), autofocus: true,
    })
    return true
  } catch {
    return false
  }
}
