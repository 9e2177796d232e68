// Logs in with the TypeScript client @atproto/oauth-client-node, once for each line of the standard input, and prints
// the times of login, callback and refresh in milliseconds as one line of JSON.
//
//   node typescript.mjs MODULES CLIENT_ID REDIRECT_URI SCOPE HANDLE PASSWORD
//
// MODULES is a file in the folder that the client is installed in. The environment variable REFERENCE_NETWORK
// describes the network.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const network = JSON.parse(process.env.REFERENCE_NETWORK)
const [modules, clientId, redirectUri, scope, identifier, password] = process.argv.slice(2)
const { NodeOAuthClient } = createRequire(modules)('@atproto/oauth-client-node')

function createStore() {
  const values = new Map()
  return {
    get: (key) => values.get(key),
    set: (key, value) => void values.set(key, value),
    del: (key) => void values.delete(key),
  }
}

// A client that remembers nothing of earlier rounds.
function createClient() {
  return new NodeOAuthClient({
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
    requestLock: (_, run) => run(),
    stateStore: createStore(),
    sessionStore: createStore(),
  })
}

async function timed(work) {
  const begun = performance.now()
  const result = await work()
  return [performance.now() - begun, result]
}

async function round() {
  const client = createClient()
  const [login, url] = await timed(() => client.authorize(identifier))
  const answer = await fetch(`${network.control}/approve`, {
    method: 'POST',
    body: JSON.stringify({ authorization_url: url, identifier, password }),
  })
  const { redirect_url: back } = await answer.json()
  const [callback, { session }] = await timed(() => client.callback(new URL(back).searchParams))
  const [refresh] = await timed(() => client.restore(session.did, true))
  return { login, callback, refresh }
}

for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await round())}\n`)
}
