// Changes the response of a PDS before it is sent: members of the JSON body, headers
// and the status.
export function patchAnswer(req, res, { patch = {}, headers = {}, status }) {
  // Without these headers, the PDS sends the body complete and uncompressed.
  delete req.headers['accept-encoding']
  delete req.headers['if-none-match']

  const chunks = []
  const collect = (chunk, encoding) => {
    if (chunk && typeof chunk !== 'function') chunks.push(Buffer.from(chunk, typeof encoding === 'string' ? encoding : undefined))
  }
  const { writeHead, write, end } = res
  res.writeHead = (code, ...rest) => {
    res.statusCode = code
    const given = rest.find((value) => value && typeof value === 'object')
    for (const [name, value] of Object.entries(given ?? {})) res.setHeader(name, value)
    return res
  }
  res.write = (chunk, encoding) => {
    collect(chunk, encoding)
    return true
  }
  res.end = (chunk, encoding) => {
    collect(chunk, encoding)
    Object.assign(res, { writeHead, write, end })
    const body = patchJson(Buffer.concat(chunks), patch)
    for (const name of ['content-length', 'transfer-encoding', 'etag']) res.removeHeader(name)
    for (const [name, value] of Object.entries(headers)) {
      if (value === null) res.removeHeader(name)
      else res.setHeader(name, value)
    }
    if (status) res.statusCode = status
    res.setHeader('content-length', body.length)
    return res.end(body)
  }
}

// Merges the patch into a JSON object. The value null deletes a member. A body that
// is not JSON stays unchanged.
function patchJson(body, patch) {
  let json
  try {
    json = JSON.parse(body)
  } catch {
    return body
  }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete json[name]
    else json[name] = value
  }
  return Buffer.from(JSON.stringify(json))
}
