// Faults that a test requests with POST /faults. A fault lets the first `skip`
// matching requests to the PDS through, and applies to the next `times` requests.
import { once } from 'node:events'
import { patchAnswer } from './patch.mjs'
import { getPds } from './registry.mjs'

// Adds a fault or removes all faults of a PDS. The body of the request is
// {pds, path?, method?, action, times?, skip?, ...} or {pds, clear: true}.
export function requestFault({ pds: name, clear, ...fault }) {
  const pds = getPds(name)
  if (clear) {
    pds.faults.length = 0
  } else {
    if (!Object.hasOwn(ACTIONS, fault.action)) throw new Error(`unknown fault action ${fault.action}; use one of ${Object.keys(ACTIONS).join(', ')}`)
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
  } catch (error) { // for example a header that can't be sent; the network must keep running
    console.error(`fault ${fault.action} failed:`, error)
    res.destroy()
  }
}

const ACTIONS = {
  // Closes the connection before the PDS sees the request.
  async drop({ req }) {
    await wholeRequest(req)
    req.socket.destroy()
  },

  // The PDS processes the request, for example a token refresh, and the response is lost.
  drop_after({ res, pass }) {
    res.write = () => true
    res.end = () => {
      res.socket?.destroy()
      return res
    }
    pass()
  },

  // {ms?}: the PDS gets the request `ms` milliseconds later.
  delay({ fault, pass }) {
    setTimeout(pass, fault.ms ?? 1000)
  },

  // {ms?}: the PDS processes the request, and the response ends `ms` milliseconds later.
  delay_after({ fault, res, pass }) {
    const end = res.end.bind(res)
    res.end = (...rest) => {
      setTimeout(end, fault.ms ?? 1000, ...rest)
      return res
    }
    pass()
  },

  reset_nonce({ pds, pass }) {
    pds.resetNonce()
    pass()
  },

  // {status?, headers?, body?}: responds instead of the PDS; JSON by default.
  async status({ fault, req, res }) {
    await wholeRequest(req)
    const body = fault.body ?? { error: 'server_error' }
    res.statusCode = fault.status ?? 503
    res.setHeader('content-type', 'application/json')
    setHeaders(res, fault.headers)
    res.end(typeof body === 'string' ? body : JSON.stringify(body))
  },

  // {status?, headers?, body? or body_base64?, repeat?, cut?, hang?}: responds with
  // any bytes instead of the PDS. The body is sent `repeat` times. After the body,
  // `cut` closes the connection, and `hang` never ends the response.
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

  // {patch?, headers?, status?}: changes the response of the PDS.
  patch({ fault, req, res, pass }) {
    patchAnswer(req, res, fault)
    pass()
  },
}

// Reads the request to its end, so that the log entry is complete and the client
// does not fail while it sends the body.
async function wholeRequest(req) {
  req.resume()
  await once(req, 'close').catch(() => {})
}

// Sets headers. `headers` is an object, or a list of pairs if a name is repeated.
// The value null removes a header.
function setHeaders(res, headers = {}) {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers)
  for (const [name] of pairs) res.removeHeader(name)
  for (const [name, value] of pairs) if (value !== null) res.appendHeader(name, value)
}
