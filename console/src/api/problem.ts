// Refusals of the API (RFC 9457) as one kind of error, with its Chinese and its English part.

export interface ProblemEntry {
  message: string
  pointer?: string | null
  row?: number | null
  field?: string | null
  column?: string | null
}

export interface Bilingual {
  zh: string
  en: string
}

const CHINESE = /[\u3400-\u9fff]/

/** "中文 · English" (or "中文 / English") in its two parts. A text of one language is both. */
export function bilingual(text: string): Bilingual {
  for (const separator of [' · ', ' / ']) {
    const at = text.lastIndexOf(separator)
    if (at > 0) {
      const [zh, en] = [text.slice(0, at).trim(), text.slice(at + separator.length).trim()]
      if (CHINESE.test(zh) && !CHINESE.test(en)) return { zh, en }
    }
  }
  return { zh: text, en: text }
}

/** What the server refused, or that it was not reached (status 0, code "no-connection"). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: ProblemEntry[] = [],
    readonly errorCount = 0,
    /** Seconds to wait before another try. */
    readonly retryAfter: number | null = null,
    /** Everything else that the problem says (version, state, ...). */
    readonly more: Record<string, unknown> = {},
  ) {
    super(detail || title)
    this.name = 'ApiProblem'
  }
}

const NO_CONNECTION = '无法连接服务器，请检查网络 · the server is not reached; check the network'

/** The server was not reached at all. */
export function unreached(): ApiProblem {
  return new ApiProblem(0, 'no-connection', '连接中断 · No connection', NO_CONNECTION)
}

/** The problem of an answer that is none of success; ``body`` is what it carried. */
export function problemOf(response: Response, body: unknown): ApiProblem {
  const told: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {}
  const { type, title, status: _status, detail, errors, error_count: count, ...more } = told
  const waiting = Number(response.headers.get('Retry-After'))
  return new ApiProblem(
    response.status,
    typeof type === 'string' ? type.replace('urn:gongche:problem:', '') : 'http',
    typeof title === 'string' ? title : `HTTP ${response.status}`,
    typeof detail === 'string' ? detail : '服务器没有给出说明 · the server does not say why',
    Array.isArray(errors) ? (errors as ProblemEntry[]) : [],
    typeof count === 'number' ? count : 0,
    Number.isFinite(waiting) && waiting > 0 ? waiting : null,
    more,
  )
}

/** The same without what stands at one of ``fields`` already: nothing is said twice. ``instead``: when nothing else is wrong. */
export function unplaced(problem: ApiProblem | null, fields: readonly string[], instead: string): ApiProblem | null {
  if (!problem || problem.errors.length === 0) return problem
  const others = problem.errors.filter((one) => !fields.includes((one.pointer ?? '').split('/')[1] ?? ''))
  return new ApiProblem(problem.status, problem.code, problem.title, others.length ? problem.detail : instead, others, others.length, problem.retryAfter, problem.more)
}

/** Any error as a problem that can be shown. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  const said = error instanceof Error ? error.message : String(error)
  return new ApiProblem(0, 'program', '程序错误 · Program error', `页面程序出错：${said} · the page failed: ${said}`)
}

/** A refusal of the page itself, at the fields that it names, as one of the server looks. */
export const refusedHere = (title: string, detail: string, flaws: Record<string, string>): ApiProblem => {
  const errors = Object.entries(flaws).map(([name, message]) => ({ pointer: `/${name}`, message }))
  return new ApiProblem(422, 'form', title, detail, errors, errors.length)
}
