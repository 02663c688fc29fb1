// Whether this browser shows PDF by itself, and what a frame holds that was to hold one.
import { problemOf, type ApiProblem } from '@/api/problem'

/** Chromium before 94 does not say it, but lists what its viewer opens. */
export function hasViewer(of: { pdfViewerEnabled?: boolean; mimeTypes?: { namedItem(name: string): unknown } } = navigator): boolean {
  return of.pdfViewerEnabled ?? Boolean(of.mimeTypes?.namedItem('application/pdf'))
}

/** The address with a further parameter. */
export function withParameter(address: string, name: string, value: string | undefined): string {
  if (value === undefined) return address
  return `${address}${address.includes('?') ? '&' : '?'}${new URLSearchParams({ [name]: value }).toString()}`
}

/** The refusal that came instead of a PDF; null: there is none. A viewer's own page cannot be looked into, and need not. */
export function refusalIn(page: { contentType: string; text: string } | null): ApiProblem | null {
  if (page === null || !/json/.test(page.contentType)) return null
  try {
    const told: unknown = JSON.parse(page.text)
    const status = Number((told as { status?: unknown } | null)?.status)
    return problemOf(new Response(null, { status: status >= 200 && status < 600 ? status : 500 }), told)
  } catch {
    return null
  }
}
