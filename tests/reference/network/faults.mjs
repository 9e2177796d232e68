// Faults that a test orders in front of a PDS with POST /faults. Each takes the
// next matching request, `times` times, after letting `skip` of them through.
import { once } from 'node:events'
import { patchAnswer } from './patch.mjs'
import { getPds } from './registry.mjs'

// {pds, path?, method?, action, times?, skip?, ...} or {pds, clear: true}
export function orderFault({ pds: name, clear, ...fault }) {
  const pds = getPds(name)
  if (clear) {
    pds.faults.length = 0
  } else {
    if (!Object.hasOwn(ACTIONS, fault.action)) throw new Error(`no fault action ${fault.action}; there are ${Object.keys(ACTIONS).join(', ')}`)
    pds.faults.push({ times: 1, ...fault })
  }
  return { pending: pds.faults }
}

export function takeFault(pds, method, path) {
  const index = pds.faults.findIndex((fault) => {
    if ((fault.path && fault.path !== path) || (fault.method && fault.method !== method)) return false
    return !(fault.skip > 0 && fault.skip-- > 0)
  })
  if (index < 0) return undefined
  const fault = pds.faults[index]
  if (--fault.times <= 0) pds.faults.splice(index, 1)
  return fault
}

export async function applyFault(fault, pds, req, res, pass) {
  try {
    await ACTIONS[fault.action]({ fault, pds, req, res, pass })
  } catch (error) { // a header that cannot be sent, say; the network has to go on
    console.error(`fault ${fault.action} failed:`, error)
    res.destroy()
  }
}

const ACTIONS = {
  // The connection ends before the PDS sees the request.
  async drop({ req }) {
    await wholeRequest(req)
    req.socket.destroy()
  },

  // The PDS processes the request (it rotates a token, say), the answer is lost.
  drop_after({ res, pass }) {
    res.write = () => true
    res.end = () => {
      res.socket?.destroy()
      return res
    }
    pass()
  },

  // {ms}: the PDS gets the request later.
  delay({ fault, pass }) {
    setTimeout(pass, fault.ms ?? 1000)
  },

  reset_nonce({ pds, pass }) {
    pds.resetNonce()
    pass()
  },

  // {status?, headers?, body?}: an answer in the PDS's place, JSON unless said otherwise.
  async status({ fault, req, res }) {
    await wholeRequest(req)
    const body = fault.body ?? { error: 'server_error' }
    res.statusCode = fault.status ?? 503
    res.setHeader('content-type', 'application/json')
    setHeaders(res, fault.headers)
    res.end(typeof body === 'string' ? body : JSON.stringify(body))
  },

  // {status?, headers?, body? or body_base64?, repeat?, cut?, hang?}: any bytes in
  // the PDS's place. The body is sent `repeat` times; with `cut` the connection
  // then breaks, with `hang` the answer never ends.
  async raw({ fault, req, res }) {
    await wholeRequest(req)
    const { repeat = 1, cut, hang } = fault
    const once = fault.body_base64 ? Buffer.from(fault.body_base64, 'base64') : Buffer.from(fault.body ?? '')
    const body = Buffer.concat(Array(repeat).fill(once))
    res.statusCode = fault.status ?? 200
    setHeaders(res, fault.headers)
    if (cut) res.write(body, () => res.destroy())
    else if (hang) res.write(body)
    else res.end(body)
  },

  // {patch?, headers?, status?}: the PDS's own answer, changed.
  patch({ fault, req, res, pass }) {
    patchAnswer(req, res, fault)
    pass()
  },
}

// Read the request to its end first, so that the log is complete and the client
// does not fail while it still sends.
async function wholeRequest(req) {
  req.resume()
  await once(req, 'close').catch(() => {})
}

// `headers` is an object, or a list of pairs to repeat a name; null removes.
function setHeaders(res, headers = {}) {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers)
  for (const [name] of pairs) res.removeHeader(name)
  for (const [name, value] of pairs) if (value !== null) res.appendHeader(name, value)
}
