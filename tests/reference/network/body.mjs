// Request bodies for the log: their digest, and the form fields of OAuth
// requests without the secrets in them.
import { createHash } from 'node:crypto'

const FORM = 'application/x-www-form-urlencoded'
const SECRETS = new Set(['code', 'code_verifier', 'refresh_token', 'token', 'client_assertion'])

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

export const isForm = (contentType) => (contentType ?? '').split(';')[0].trim().toLowerCase() === FORM

// Looks at each chunk on its way from the HTTP parser into the request stream,
// so the PDS's own reading of that stream is not touched.
export function watchBody(req, keepText, done) {
  const hash = createHash('sha256')
  const chunks = []
  let length = 0
  const push = req.push
  req.push = function (chunk, ...rest) {
    if (chunk === null) {
      req.push = push
      done({ length, sha256: hash.digest('hex'), text: Buffer.concat(chunks).toString() })
    } else {
      hash.update(chunk)
      length += chunk.length
      if (keepText) chunks.push(Buffer.from(chunk))
    }
    return push.call(this, chunk, ...rest)
  }
}

// name -> value, or an array of values for a repeated name
export function formFields(fields) {
  const form = Object.create(null)
  for (const name of new Set(fields.keys())) {
    const values = fields.getAll(name).map((value) => (SECRETS.has(name) ? `sha256:${sha256(value).slice(0, 16)}` : value))
    form[name] = values.length === 1 ? values[0] : values
  }
  return form
}
