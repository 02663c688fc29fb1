// Papers in place: whether the browser has a viewer, what a frame holds instead of one, and where it is asked for.
import { describe, expect, it } from 'vitest'

import { isPdf, isPicture } from '@/components/keptFile'
import { paperOf } from '@/screens/cases/cases'
import { webAddress } from '@/screens/operations/operations'
import { hasViewer, refusalIn, withParameter } from '@/text/viewer'

describe('a paper', () => {
  it('is shown where the browser has a viewer, also one that does not say so', () => {
    const names = (...list: string[]) => ({ namedItem: (name: string) => (list.includes(name) ? {} : null) })
    expect(hasViewer({ pdfViewerEnabled: true })).toBe(true)
    expect(hasViewer({ pdfViewerEnabled: false, mimeTypes: names('application/pdf') })).toBe(false)
    expect(hasViewer({ mimeTypes: names('application/pdf') })).toBe(true)
    expect(hasViewer({ mimeTypes: names() })).toBe(false)
  })
  it('stands at our own address, whatever its names hold', () => {
    expect(paperOf('a/../b?c', 'order')).toBe('/v1/cases/a%2F..%2Fb%3Fc/documents/order')
    expect(withParameter('/v1/x', 'inline', 'true')).toBe('/v1/x?inline=true')
    expect(withParameter('/v1/x?a=1', 'purpose', '3月&核对')).toBe('/v1/x?a=1&purpose=3%E6%9C%88%26%E6%A0%B8%E5%AF%B9')
    expect(withParameter('/v1/x', 'purpose', undefined)).toBe('/v1/x')
  })
  it('that was refused is told as what it is; the page of a viewer is none', () => {
    const text = '{"type":"urn:gongche:problem:no-such-document-yet","status":409,"title":"与已有数据冲突 · Conflict","detail":"尚未签发 · not issued"}'
    expect(refusalIn({ contentType: 'application/problem+json', text })).toMatchObject({ status: 409, code: 'no-such-document-yet', detail: '尚未签发 · not issued' })
    expect(refusalIn({ contentType: 'application/pdf', text: '' })).toBeNull()
    expect(refusalIn({ contentType: 'text/html', text })).toBeNull()
    expect(refusalIn({ contentType: 'application/json', text: 'cut off' })).toBeNull()
    expect(refusalIn(null)).toBeNull()
  })
  it('of others is a picture by what the server found, not by its name', () => {
    expect(['image/png', 'image/jpeg', 'image/svg+xml', 'application/pdf', 'text/plain', ''].map((media_type) => isPicture({ media_type }))).toEqual([true, true, false, false, false, false])
    expect(['application/pdf', 'image/png', 'text/html', ''].map((media_type) => isPdf({ media_type }))).toEqual([true, false, false, false])
  })
})

describe('a link to another system', () => {
  it('leads to the web alone', () => {
    expect(webAddress('https://grafana.example.cn/d/1?x=1')).toBe('https://grafana.example.cn/d/1?x=1')
    expect(webAddress('http://10.0.0.1:3000')).toBe('http://10.0.0.1:3000/')
    for (const wrong of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', '//host', 'grafana', '', null, undefined]) expect(webAddress(wrong)).toBeNull()
  })
})
