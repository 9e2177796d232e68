// Resolution of handles by DNS and by HTTPS. The handle of each account resolves
// both ways. A test can override the resolution of a handle, also of a handle that
// belongs to no account.
import { accounts } from './registry.mjs'

const DNS_MODES = ['txt', 'none', 'nxdomain', 'servfail', 'truncated', 'silent']
const overrides = new Map() // map from a handle to {dns?, dns_did?, txt?, http_did?}

// Overrides the resolution of a handle. The parameter is the body of POST /handles:
// {handle, dns?, dns_did?, txt?, http_did?}. Earlier settings of the handle stay. The
// value null removes a setting; {handle, reset: true} removes all settings.
export function overrideHandle({ handle, reset, ...settings }) {
  const name = handle.toLowerCase()
  if (settings.dns != null && !DNS_MODES.includes(settings.dns)) throw new Error(`unknown dns mode ${settings.dns}; use one of ${DNS_MODES.join(', ')}`)
  const strings = settings.txt?.flat() ?? []
  if (strings.some((part) => Buffer.byteLength(part) > 255)) throw new Error('a string of `txt` has more than 255 bytes')
  overrides.set(name, { ...(reset ? {} : overrides.get(name)), ...settings })
  return findHandle(name)
}

// Returns the resolution of a handle; undefined if the handle has neither an account
// nor an override.
export function findHandle(handle) {
  const name = handle.toLowerCase()
  const account = accounts.find((account) => account.handle === name)
  const override = overrides.get(name)
  if (!account && !override) return undefined
  const did = account?.did
  const dnsDid = override?.dns_did ?? did
  return {
    handle: name,
    did,
    dns: override?.dns ?? 'txt',
    txt: override?.txt ?? (dnsDid ? [[`did=${dnsDid}`]] : []),
    http_did: override?.http_did ?? did,
  }
}
