// The permissions that the server knows (office.identity.subject); a test compares the two.
export const PERMISSIONS = [
  'alerts:read', 'tracks:read', 'registry:read', 'registry:write', 'positions:write', 'ops:read', 'subscriptions:manage',
  'dispositions:write', 'cases:read', 'cases:draft', 'cases:issue', 'cases:close', 'cases:reply', 'cases:sign',
  'assessments:read', 'assessments:manage', 'assessments:decide', 'assessments:dispute', 'complaints:write', 'exchange:peer',
  'exchange:read', 'users:manage', 'audit:read', 'commands:read', 'commands:send', 'commands:configure', 'commands:control',
  'trips:read', 'trips:apply', 'trips:enter', 'trips:approve', 'trips:dispatch', 'trips:drive', 'trips:rules', 'drivers:decide', 'maintenance:approve', 'vehicles:agree', 'vehicles:approve', 'rentals:approve', 'notices:publish', 'quotas:write',
  'costs:read', 'costs:write', 'costs:tariffs', 'costs:settle', 'costs:confirm', 'costs:pay', 'costs:reconcile', 'secret:read', 'secret:change',
] as const

export type Permission = (typeof PERMISSIONS)[number]
