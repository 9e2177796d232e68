// The request log: one entry for each request, with the data that the server
// received. Tests check the client by this log.
//
// An entry is added when the headers have arrived. The entry gets its members
// about the body at the end of the body, and its members about the response at the
// end of the response.
import { USER_AGENT as BROWSER_USER_AGENT } from './browser.mjs'
import { formFields, isForm, watchBody } from './body.mjs'
import { describeAssertion, describeDpop } from './jwt.mjs'

const KEEP = 5000

export function logRequest(pds, req, res) {
  const url = new URL(req.url, pds.url)
  const { headers } = req
  const entry = {
    t: Date.now(),
    pds: pds.name,
    method: req.method,
    path: url.pathname,
    query: url.search,
    host: headers.host,
    tls: Boolean(req.socket.encrypted),
    browser: headers['user-agent'] === BROWSER_USER_AGENT, // sent by POST /approve or /deny
    user_agent: headers['user-agent'],
    header_names: req.rawHeaders.filter((_, index) => index % 2 === 0),
    content_type: headers['content-type'],
    content_length: headers['content-length'] && Number(headers['content-length']),
    authorization_scheme: headers.authorization?.split(' ')[0],
    ...describeDpop(req),
  }
  pds.log.push(entry)
  if (pds.log.length > KEEP) pds.log.splice(0, KEEP / 5)

  const secretForm = url.pathname.startsWith('/oauth/') && isForm(headers['content-type'])
  watchBody(req, secretForm, ({ length, sha256, text }) => {
    entry.body_bytes = length
    if (secretForm) {
      const fields = new URLSearchParams(text)
      entry.form = formFields(fields)
      if (fields.has('client_assertion')) entry.client_assertion = describeAssertion(fields.get('client_assertion'))
    } else if (length > 0) {
      entry.body_sha256 = sha256
    }
  })

  const answered = () => {
    if (entry.status !== undefined) return
    entry.status = res.writableFinished ? res.statusCode : null // null: no complete response was sent
    entry.dpop_nonce_out = res.getHeader('dpop-nonce')
    entry.www_authenticate = res.getHeader('www-authenticate')
    entry.response_content_type = res.getHeader('content-type')
    entry.duration_ms = Date.now() - entry.t
  }
  res.setMaxListeners(50) // the listeners of the PDS alone almost reach the default limit of 10
  res.on('finish', answered).on('close', answered)
  return entry
}
