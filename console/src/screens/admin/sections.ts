// The parts of the administration, and who sees each.
import type { Permission } from '@/app/permissions'

export const SECTIONS: readonly { name: string; permissions: Permission[] }[] = [
  { name: 'users', permissions: ['users:manage'] },
  { name: 'clients', permissions: ['users:manage'] },
  { name: 'failures', permissions: ['users:manage'] },
  { name: 'subscriptions', permissions: ['subscriptions:manage'] },
  { name: 'codes', permissions: ['dispositions:write'] },
  { name: 'exchange', permissions: ['exchange:read'] },
  { name: 'secret', permissions: ['secret:read', 'secret:change'] },
  { name: 'audit', permissions: ['audit:read'] },
]
