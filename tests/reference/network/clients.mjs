// The https hosts of OAuth clients, as the authorization server sees them.
//
// The provider takes only https client ids on a public-looking DNS name, and
// fetches the metadata and the keys from there. Its fetch ends in
// globalThis.fetch, so that is replaced here: chosen URLs are answered with a
// registered document, chosen hosts are forwarded to a loopback server of the
// test. All but DNS and TLS is the provider's real path. Import this module
// before the PDS.
const documents = new Map() // URL -> {status, headers, body}
const hosts = new Map() // host[:port] -> http://127.0.0.1:PORT

// Every fetch the servers made: {t, url, via: "doc" | "net" | target}.
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

// {client_id, metadata, jwks_uri?, jwks?, status?, headers?}
export function registerClient({ client_id, metadata, jwks_uri, jwks, status, headers }) {
  documents.set(new URL(client_id).href, { body: metadata, status, headers })
  if (jwks_uri) documents.set(new URL(jwks_uri).href, { body: jwks })
  clearClientCache()
}

// {host, target}; without a target the host is forgotten
export function registerHost({ host, target }) {
  if (target) hosts.set(host, target)
  else hosts.delete(host)
  clearClientCache()
}

// The provider keeps metadata and keys for ten minutes in private fields. Make
// the first read of each URL after clearClientCache() go past that cache.
let epoch = 0

export function clearClientCache() {
  epoch++
}

export function makeClientCacheClearable(provider) {
  const { metadataGetter, jwks } = provider.clientManager
  for (const cache of [metadataGetter, jwks]) {
    const get = cache.get.bind(cache)
    const readIn = new Map() // key -> epoch of the last read
    cache.get = (key, options) => {
      const fresh = readIn.get(key) !== epoch
      readIn.set(key, epoch)
      return get(key, fresh ? { ...options, noCache: true } : options)
    }
  }
}
