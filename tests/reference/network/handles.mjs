// What the network answers about a handle, by DNS and by HTTPS. Every account's
// handle resolves both ways; a test bends single handles, also ones that no
// account has.
import { accounts } from './registry.mjs'

const DNS_MODES = ['txt', 'none', 'nxdomain', 'servfail', 'truncated', 'silent']
const bends = new Map() // handle -> {dns?, dns_did?, txt?, http_did?}

// {handle, dns?, dns_did?, txt?, http_did?} adds to what was set before, null
// takes a setting back, {handle, reset: true} takes all back.
export function bendHandle({ handle, reset, ...settings }) {
  const name = handle.toLowerCase()
  if (settings.dns != null && !DNS_MODES.includes(settings.dns)) throw new Error(`dns is one of ${DNS_MODES.join(', ')}`)
  const strings = settings.txt?.flat() ?? []
  if (strings.some((part) => Buffer.byteLength(part) > 255)) throw new Error('one TXT string holds at most 255 bytes')
  bends.set(name, { ...(reset ? {} : bends.get(name)), ...settings })
  return findHandle(name)
}

// undefined for a handle that does not exist
export function findHandle(handle) {
  const name = handle.toLowerCase()
  const account = accounts.find((account) => account.handle === name)
  const bend = bends.get(name)
  if (!account && !bend) return undefined
  const did = account?.did
  const dnsDid = bend?.dns_did ?? did
  return {
    handle: name,
    did,
    dns: bend?.dns ?? 'txt',
    txt: bend?.txt ?? (dnsDid ? [[`did=${dnsDid}`]] : []),
    http_did: bend?.http_did ?? did,
  }
}
