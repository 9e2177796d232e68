// Logs in with the TypeScript client @atproto/oauth-client-node, once for each line of the standard input, and prints
// the times of login, callback and refresh as one line of JSON. `wall`, `client` and `servers` are the time of a step,
// and the processor time of this process and of the servers, in milliseconds.
//
//   node typescript.mjs MODULES CLIENT_ID REDIRECT_URI SCOPE HANDLE PASSWORD
//
// MODULES is a file in the folder that the client is installed in. The environment variable REFERENCE_NETWORK
// describes the network.
import fs from 'node:fs'
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

// Processor time of all threads of a process in milliseconds, as the scheduler of Linux counts it.
function processorTime(pid) {
  const tasks = fs.readdirSync(`/proc/${pid}/task`)
  const times = tasks.map((task) => fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  return times.reduce((sum, time) => sum + Number(time), 0) / 1e6
}

async function timed(work) {
  const processes = [process.pid, network.pid]
  const before = processes.map(processorTime)
  const begun = performance.now()
  const result = await work()
  const wall = performance.now() - begun
  const [client, servers] = processes.map((pid, index) => processorTime(pid) - before[index])
  return [{ wall, client, servers }, result]
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
