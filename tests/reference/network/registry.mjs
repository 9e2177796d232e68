// What exists on this network, for all modules: the PDSes by name, the accounts.
export const pdses = {}
export const accounts = []

export function getPds(name = 'a') {
  if (!Object.hasOwn(pdses, name)) throw new Error(`no PDS named ${name}; there are ${Object.keys(pdses).join(', ')}`)
  return pdses[name]
}
