// Wraps the request handler of each PDS. The wrapper logs requests, applies faults,
// and makes PDS r a resource server without an authorization server.
import { applyFault, takeFault } from './faults.mjs'
import { logRequest } from './log.mjs'
import { patchAnswer } from './patch.mjs'

const AS_METADATA = '/.well-known/oauth-authorization-server'
const RESOURCE_METADATA = '/.well-known/oauth-protected-resource'

export function tapWire(pds) {
  const server = pds.server.server
  const handlers = server.listeners('request')
  server.removeAllListeners('request')

  pds.handle = (req, res) => {
    const { pathname } = new URL(req.url, pds.url)
    const entry = logRequest(pds, req, res)
    const pass = () => {
      if (pds.authorizationServer && answerAsResourceServer(pds, pathname, res)) return
      if (pds.protectedResources && pathname === AS_METADATA) {
        patchAnswer(req, res, { patch: { protected_resources: pds.protectedResources } })
      }
      for (const handler of handlers) handler.call(server, req, res)
    }
    const fault = takeFault(pds, req.method, pathname)
    if (!fault) return pass()
    entry.fault = fault.action
    applyFault(fault, pds, req, res, pass)
  }
  server.on('request', pds.handle)
}

// Hides the authorization server of PDS r, and names PDS a as the authorization
// server in the resource metadata. Returns true if it has sent the response.
function answerAsResourceServer(pds, pathname, res) {
  if (pathname.startsWith('/oauth/') || pathname.startsWith('/@atproto/') || pathname === AS_METADATA) {
    sendJson(res, 404, { error: 'not_found' })
    return true
  }
  if (pathname === RESOURCE_METADATA) {
    res.setHeader('access-control-allow-origin', '*')
    sendJson(res, 200, {
      resource: pds.url,
      authorization_servers: [pds.authorizationServer],
      scopes_supported: [],
      bearer_methods_supported: ['header'],
      resource_documentation: 'https://atproto.com',
    })
    return true
  }
  return false
}

function sendJson(res, status, body) {
  res.statusCode = status
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(body))
}
