// Simulates the https hosts of OAuth clients for the authorization servers.
//
// The authorization server accepts only https client ids with a public DNS name,
// and fetches the metadata and the keys of the client from there. It fetches with
// globalThis.fetch, so this module replaces globalThis.fetch. A registered URL
// returns its registered document. A request to a registered host is forwarded to
// a loopback server of the test. Only DNS and TLS are bypassed. This module must be
// imported before the PDS.
const documents = new Map() // URL -> {status, headers, body}
const hosts = new Map() // host[:port] -> http://127.0.0.1:PORT

// Log of all requests that the servers sent: {t, url, via: "doc" | "net" | target}.
export const fetchLog = []

export const realFetch = globalThis.fetch

globalThis.fetch = async function (input, init) {
  const request = input instanceof Request ? input : undefined
  const url = new URL(request ? request.url : String(input))
  const document = documents.get(url.href)
  const target = hosts.get(url.host)
  fetchLog.push({ t: Date.now(), url: url.href, via: document ? 'doc' : (target ?? 'net') })

  if (document) {
    const body = typeof document.body === 'string' ? document.body : JSON.stringify(document.body)
    return new Response(body, {
      status: document.status ?? 200,
      headers: { 'content-type': 'application/json', ...document.headers },
    })
  }
  if (target) {
    return realFetch.call(this, new URL(url.pathname + url.search, target), {
      method: init?.method ?? request?.method ?? 'GET',
      headers: new Headers(init?.headers ?? request?.headers),
      redirect: init?.redirect ?? request?.redirect ?? 'error',
      signal: init?.signal ?? request?.signal,
    })
  }
  return realFetch.call(this, input, init)
}

// Registers the documents of a client. The parameter is the body of POST /clients:
// {client_id, metadata, jwks_uri?, jwks?, status?, headers?}.
export function registerClient({ client_id, metadata, jwks_uri, jwks, status, headers }) {
  documents.set(new URL(client_id).href, { body: metadata, status, headers })
  if (jwks_uri) documents.set(new URL(jwks_uri).href, { body: jwks })
  clearClientCache()
}

// Forwards requests to `host` to `target`; without a target, `host` is removed.
export function registerHost({ host, target }) {
  if (target) hosts.set(host, target)
  else hosts.delete(host)
  clearClientCache()
}

// Number of calls of clearClientCache(). The authorization server caches metadata
// and keys for ten minutes in private fields. After each call of clearClientCache(),
// the first read of each URL bypasses this cache.
let epoch = 0

export function clearClientCache() {
  epoch++
}

export function makeClientCacheClearable(provider) {
  const { metadataGetter, jwks } = provider.clientManager
  for (const cache of [metadataGetter, jwks]) {
    const get = cache.get.bind(cache)
    const readIn = new Map() // map from a key to the epoch of its last read
    cache.get = (key, options) => {
      const fresh = readIn.get(key) !== epoch
      readIn.set(key, epoch)
      return get(key, fresh ? { ...options, noCache: true } : options)
    }
  }
}
