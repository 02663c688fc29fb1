// localStorage that may be full, closed or spoilt: then the page works without it.

export function readStored<T>(name: string, otherwise: T): T {
  try {
    const text = window.localStorage.getItem(`gongche.${name}`)
    return text === null ? otherwise : (JSON.parse(text) as T)
  } catch {
    return otherwise
  }
}

export function store(name: string, value: unknown): void {
  try {
    window.localStorage.setItem(`gongche.${name}`, JSON.stringify(value))
  } catch {
    // Nothing that cannot be done without.
  }
}
