// The control endpoint. With it, tests act as the user, publish documents of
// clients, set knobs, request faults and read the logs. The control endpoint also
// serves the services that resolve handles: DNS over HTTPS,
// /.well-known/atproto-did by Host header, and resolveHandle. ../README.md
// describes all routes.
import http from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { approve, deny } from './browser.mjs'
import { fetchLog, registerClient, registerHost } from './clients.mjs'
import { answerMessage, dnsLog, resolve } from './dns.mjs'
import { requestFault } from './faults.mjs'
import { overrideHandle, findHandle } from './handles.mjs'
import { createAccount, setKnobs } from './pds.mjs'
import { getPds, pdses } from './registry.mjs'
import { choosePort, listen } from './settings.mjs'

const TXT = 16

// Map from routes to functions. Each function gets the JSON body and the query
// parameters, and returns the JSON of the response.
const makeRoutes = ({ info, stop }) => ({
  'GET /info': () => info(),
  'POST /approve': (order) => approve(order),
  'POST /deny': (order) => deny(order),
  'POST /accounts': ({ pds, handle, password }) => createAccount(pds, handle, password),
  'POST /clients': (client) => done(registerClient(client)),
  'POST /hosts': (host) => done(registerHost(host)),
  'POST /handles': (settings) => overrideHandle(settings),
  'POST /knobs': (knobs) => setKnobs(knobs),
  'POST /faults': (fault) => requestFault(fault),
  'GET /log': (_, query) => readLog(query.get('pds')),
  'GET /fetches': () => fetchLog,
  'GET /dns': () => dnsLog,
  'POST /log/clear': () => done(clearLogs()),
  'POST /stop': () => done(setTimeout(10).then(stop)), // stops after the response is sent
})

const done = () => ({ ok: true })

// Returns the log, and first waits up to one second until all entries have a
// status. The wait is necessary because a client receives the last byte of a
// response before the server completes the log entry.
async function readLog(name) {
  const read = () => (name ? getPds(name).log : Object.values(pdses).flatMap((pds) => pds.log))
  const late = Date.now() + 1000
  while (read().some((entry) => entry.status === undefined) && Date.now() < late) await setTimeout(2)
  return read().toSorted((a, b) => a.t - b.t)
}

function clearLogs() {
  for (const pds of Object.values(pdses)) pds.log.length = 0
  fetchLog.length = 0
  dnsLog.length = 0
}

// Map from paths of public services to functions. Each function gets the request
// and its URL, and returns {status, type, body}, or undefined for no response.
const services = {
  '/.well-known/atproto-did': (req) => {
    const did = findHandle((req.headers.host ?? '').replace(/:\d+$/, ''))?.http_did
    return did ? text(200, did) : text(404, 'User not found')
  },

  '/xrpc/com.atproto.identity.resolveHandle': (_, url) => {
    const did = findHandle(url.searchParams.get('handle') ?? '')?.did
    return did ? json(200, { did }) : json(400, { error: 'HandleNotFound', message: 'Unable to resolve handle' })
  },

  '/dns-query': async (req, url) => {
    if (req.method === 'POST' || (req.headers.accept ?? '').includes('application/dns-message')) {
      const query = req.method === 'POST' ? await readBody(req) : Buffer.from(url.searchParams.get('dns') ?? '', 'base64url')
      const body = answerMessage(query, 'doh')
      return body && { status: 200, type: 'application/dns-message', body }
    }
    const name = (url.searchParams.get('name') ?? '').replace(/\.$/, '').toLowerCase()
    const result = resolve(name, TXT, 'doh-json')
    if (!result) return undefined
    const Answer = result.answers.map((parts) => ({ name, type: TXT, TTL: 1, data: parts.map((part) => `"${part}"`).join(' ') }))
    return json(200, { Status: result.rcode, TC: false, Question: [{ name, type: TXT }], ...(Answer.length > 0 && { Answer }) })
  },
}

const json = (status, value) => ({ status, type: 'application/json', body: JSON.stringify(value) })
const text = (status, body) => ({ status, type: 'text/plain', body })

// Starts the control endpoint. `info(url)` returns the response of GET /info, and
// `stop` ends the network.
export async function startControl({ info, stop }) {
  const url = `http://127.0.0.1:${await choosePort('CONTROL')}`
  const routes = makeRoutes({ info: () => info(url), stop })
  const server = http.createServer(async (req, res) => {
    const answer = await handle(routes, req, url).catch((error) => json(500, { error: 'control_error', message: String(error?.stack ?? error) }))
    if (answer) res.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body)
  })
  await listen(server, Number(new URL(url).port))
  const stopServer = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url, stop: stopServer }
}

async function handle(routes, req, base) {
  const url = new URL(req.url, base)
  if (Object.hasOwn(services, url.pathname)) return services[url.pathname](req, url)
  const route = routes[`${req.method} ${url.pathname}`]
  if (!route) return json(404, { error: 'not_found', routes: Object.keys(routes) })
  const body = req.method === 'POST' ? await readBody(req) : ''
  return json(200, await route(body.length > 0 ? JSON.parse(body) : {}, url.searchParams))
}

async function readBody(req) {
  const chunks = []
  for await (const chunk of req) chunks.push(chunk)
  return Buffer.concat(chunks)
}
