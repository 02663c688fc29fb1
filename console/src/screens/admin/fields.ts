// The fields of dialogs of the administration.
import { PERMISSIONS } from '@/app/permissions'
import type { DialogField } from '@/components/dialogField'

import { ROLES } from './admin'

type Say = (key: string) => string

export function userFields(t: Say, fresh: boolean): DialogField[] {
  return [
    ...(fresh ? [{ name: 'id', label: t('admin.login'), required: true, hint: t('admin.loginHint') }] : []),
    { name: 'name', label: t('admin.name'), required: true },
    { name: 'organisation', label: t('admin.unit'), type: 'unit', hint: t('admin.unitHint') },
    { name: 'phone', label: t('admin.phone') },
    { name: 'email', label: t('admin.email') },
  ]
}

export function grantFields(t: Say): DialogField[] {
  return [
    { name: 'role', label: t('admin.role'), type: 'choice', required: true, options: ROLES.map((value) => ({ value, label: t(`admin.roles.${value}`) })) },
    { name: 'organisation', label: t('admin.unit'), type: 'unit', hint: t('admin.unitBelow') },
    { name: 'valid_from', label: t('admin.from'), type: 'moment', hint: t('admin.fromHint') },
    { name: 'valid_to', label: t('admin.to'), type: 'moment', hint: t('admin.toHint') },
  ]
}

export function delegationFields(t: Say, grants: readonly { value: string; label: string }[]): DialogField[] {
  return [
    { name: 'grant', label: t('admin.role'), type: 'choice', required: true, options: grants },
    { name: 'to', label: t('admin.delegateTo'), required: true, hint: t('admin.login') },
    { name: 'valid_from', label: t('admin.from'), type: 'moment', hint: t('admin.fromHint') },
    { name: 'valid_to', label: t('admin.to'), type: 'moment', required: true, hint: t('admin.delegationLong') },
    { name: 'reason', label: t('admin.reason'), required: true },
  ]
}

export function clientFields(t: Say): DialogField[] {
  return [
    { name: 'name', label: t('admin.name'), required: true },
    { name: 'scopes', label: t('admin.scopes'), type: 'choices', required: true, options: PERMISSIONS.map((value) => ({ value, label: value })) },
    { name: 'organisation', label: t('admin.unit'), type: 'unit', hint: t('admin.unitBelow') },
  ]
}
