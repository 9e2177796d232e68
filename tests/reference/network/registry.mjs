// Shared state of all modules: the PDSes by name, and the accounts.
export const pdses = {}
export const accounts = []

export function getPds(name = 'a') {
  if (!Object.hasOwn(pdses, name)) throw new Error(`unknown PDS ${name}; use one of ${Object.keys(pdses).join(', ')}`)
  return pdses[name]
}
