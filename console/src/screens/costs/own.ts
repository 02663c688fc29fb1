// In which units somebody may do something: mostly one, and then nobody has to choose it.
import type { Permission } from '@/app/permissions'
import { useSession } from '@/stores/session'

export function ownUnit(permission: Permission): string {
  const held = new Set((useSession().state?.roles ?? []).filter((one) => one.permissions.includes(permission)).map((one) => one.organisation))
  return [...held].find((one) => one !== null) ?? ''
}
