// Departures and returns that a driver enters, with the device's time: kept in IndexedDB until the server has them, sent in their order, each with an
// id of its own, so that one that is sent twice (the answer was lost) is there once.
import { ApiProblem, asProblem } from '@/api/problem'

export interface QueuedEntry {
  /** Of the store: the order in which they were made. */
  no?: number
  /** Whose it is: another person at the same telephone neither sees nor sends it. */
  login: string
  /** 32 hex digits. */
  entry: string
  dispatch: string
  number: string
  plate: string
  step: 'depart' | 'return'
  /** As the API takes it, with ``at``; without ``version``: that of the moment when it is sent. */
  body: Record<string, unknown>
  /** Why the server did not take it; it is not sent again by itself. */
  refused?: { code: string; text: string }
}
export interface Keeper {
  all: (login: string) => Promise<QueuedEntry[]>
  add: (entry: QueuedEntry) => Promise<void>
  put: (entry: QueuedEntry) => Promise<void>
  remove: (no: number) => Promise<void>
}

/** Whether a try says nothing of the entry itself: no network, the server is busy or ill, the session has ended. */
export const isPassing = (problem: ApiProblem): boolean => problem.status === 0 || problem.status >= 500 || [401, 408, 429].includes(problem.status) || problem.code === 'stale-version' || problem.code === 'csrf'

/** Send what can be sent, in order. The first that meets no server ends it. One that is refused is kept with the reason, and later ones of the same
 * dispatch wait behind it: a return without its departure would be refused as well. The refusals of this time. */
export async function flush(keeper: Keeper, login: string, send: (entry: QueuedEntry) => Promise<void>): Promise<{ left: number; refused: Map<string, ApiProblem> }> {
  const refused = new Map<string, ApiProblem>()
  const held = new Set<string>()
  let left = 0
  let reached = true
  for (const one of await keeper.all(login)) {
    if (one.refused || held.has(one.dispatch) || !reached) {
      held.add(one.dispatch)
      left += 1
      continue
    }
    try {
      // One after the other: their order is what they mean.
      // oxlint-disable-next-line no-await-in-loop
      await send(one)
      // oxlint-disable-next-line no-await-in-loop
      await keeper.remove(one.no ?? 0)
    } catch (error) {
      const problem = asProblem(error)
      left += 1
      held.add(one.dispatch)
      if (isPassing(problem)) reached = false
      else {
        refused.set(one.entry, problem)
        // oxlint-disable-next-line no-await-in-loop
        await keeper.put({ ...one, refused: { code: problem.code, text: problem.errors[0]?.message ?? problem.detail } })
      }
    }
  }
  return { left, refused }
}

const NAME = 'gongche-driving'
const STORE = 'entries'

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = window.indexedDB.open(NAME, 1)
    asked.addEventListener('upgradeneeded', () => asked.result.createObjectStore(STORE, { keyPath: 'no', autoIncrement: true }))
    asked.addEventListener('success', () => resolve(asked.result))
    asked.addEventListener('error', () => reject(asked.error))
  })
}
async function work<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened()
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode)
      const asked = act(transaction.objectStore(STORE))
      // Done when it is written, not when it is accepted: who is told "entered" has it.
      transaction.addEventListener('complete', () => resolve(asked.result))
      for (const name of ['error', 'abort']) transaction.addEventListener(name, () => reject(transaction.error))
    })
  } finally {
    database.close()
  }
}

export const keeper: Keeper = {
  all: async (login) => ((await work('readonly', (store) => store.getAll() as IDBRequest<QueuedEntry[]>)) ?? []).filter((one) => one.login === login),
  add: async (entry) => void (await work('readwrite', (store) => store.add(entry))),
  put: async (entry) => void (await work('readwrite', (store) => store.put(entry))),
  remove: async (no) => void (await work('readwrite', (store) => store.delete(no))),
}
