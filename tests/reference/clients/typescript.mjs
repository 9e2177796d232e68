// Logs an account in with the TypeScript client @atproto/oauth-client-node at the
// reference network, and prints the session store of that client as JSON.
//
//   node typescript.mjs CLIENT_ID REDIRECT_URI SCOPE HANDLE PASSWORD [ALGORITHM]
//
// Without an algorithm, the client chooses its DPoP key as usual: on Node, it prefers
// ES256K (secp256k1), which the reference servers support. With ES256, the key is of
// the kind that the browser client has, because browsers have no secp256k1.
//
// The environment variable REFERENCE_NETWORK describes the network.
import { createHash, randomBytes } from 'node:crypto'
import { JoseKey } from '@atproto/jwk-jose'
import { NodeOAuthClient } from '@atproto/oauth-client-node'

const LIMIT_MS = 60_000

const network = JSON.parse(process.env.REFERENCE_NETWORK)
const [clientId, redirectUri, scope, identifier, password, algorithm] = process.argv.slice(2)

// A store in memory. The client calls `set` with values that can be written as JSON.
function createStore() {
  const values = new Map()
  return {
    values,
    get: (key) => values.get(key),
    set: (key, value) => void values.set(key, value),
    del: (key) => void values.delete(key),
  }
}

const requestLock = (_, run) => run() // this process is the only user of the store

const runtime = {
  requestLock,
  getRandomValues: randomBytes,
  digest: (bytes, { name }) => createHash(name).update(bytes).digest(),
}

async function logIn() {
  const sessions = createStore()
  const client = new NodeOAuthClient({
    clientMetadata: {
      client_id: clientId,
      application_type: 'native',
      redirect_uris: [redirectUri],
      scope,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      dpop_bound_access_tokens: true,
    },
    allowHttp: true,
    plcDirectoryUrl: network.plc,
    handleResolver: network.resolver,
    ...(algorithm ? { runtimeImplementation: { ...runtime, createKey: () => JoseKey.generate([algorithm]) } } : { requestLock }),
    stateStore: createStore(),
    sessionStore: sessions,
  })

  const url = await client.authorize(identifier)
  const answer = await fetch(`${network.control}/approve`, {
    method: 'POST',
    body: JSON.stringify({ authorization_url: url, identifier, password }),
  })
  const { redirect_url: back } = await answer.json()
  const { session } = await client.callback(new URL(back).searchParams)

  // The session of a client that has been used.
  const response = await session.fetchHandler('/xrpc/com.atproto.server.getSession')
  if (!response.ok) throw new Error(`getSession failed: ${response.status} ${await response.text()}`)
  return Object.fromEntries(sessions.values)
}

setTimeout(() => {
  console.error(`the login took more than ${LIMIT_MS} ms`)
  process.exit(1)
}, LIMIT_MS).unref()

process.stdout.write(`${JSON.stringify(await logIn())}\n`)
