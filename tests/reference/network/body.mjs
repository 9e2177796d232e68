// Reads request bodies for the log: the hash of a body, and the form fields of an
// OAuth request without its secrets.
import { createHash } from 'node:crypto'

const FORM = 'application/x-www-form-urlencoded'
const SECRETS = new Set(['code', 'code_verifier', 'refresh_token', 'token', 'client_assertion'])

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

export const isForm = (contentType) => (contentType ?? '').split(';')[0].trim().toLowerCase() === FORM

// Reads each chunk that the HTTP parser pushes into the request stream. The PDS can
// still read the stream, because the chunks are not consumed.
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

// Returns an object from names to values. A repeated name has an array of values;
// the values of secret fields are hashes.
export function formFields(fields) {
  const form = Object.create(null)
  for (const name of new Set(fields.keys())) {
    const values = fields.getAll(name).map((value) => (SECRETS.has(name) ? `sha256:${sha256(value).slice(0, 16)}` : value))
    form[name] = values.length === 1 ? values[0] : values
  }
  return form
}
