// Starts the reference network, prints one line of JSON about it when all of it
// is ready, and stops on SIGTERM, SIGINT, POST /stop or the end of stdin.
import { startedAt } from './settings.mjs' // first: sets the environment
import './clients.mjs' // before the PDS: replaces fetch
import { startControl } from './control.mjs'
import { startDns } from './dns.mjs'
import { startPdses, stopPdses } from './pds.mjs'
import { startPlc } from './plc.mjs'
import { accounts, pdses } from './registry.mjs'

const plc = await startPlc()
await startPdses(plc.url)
const dns = await startDns()
const control = await startControl({ info, stop })
const startMs = Date.now() - startedAt

function info(controlUrl) {
  const describe = ({ url, issuer, did, tls }) => ({ url, issuer, did, ...(tls && { tls }) })
  return {
    ready: true,
    pid: process.pid,
    control: controlUrl,
    plc: plc.url,
    dns: dns.address,
    doh: `${controlUrl}/dns-query`,
    resolver: controlUrl,
    pds: Object.fromEntries(Object.values(pdses).map((pds) => [pds.name, describe(pds)])),
    accounts,
    versions: { node: process.version, pds: pdses.a.server.ctx.cfg.service.version },
    start_ms: startMs,
  }
}

let stopping = false

async function stop() {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(), 3000) // a PDS waits for open connections; do not wait with it
  control.stop()
  dns.stop()
  await stopPdses()
  await plc.stop()
  process.exit()
}

process.on('SIGTERM', stop).on('SIGINT', stop)
// Whoever started the network holds its stdin open, so it is not left behind.
process.stdin.on('end', stop).on('error', stop).resume()

process.stdout.write(`${JSON.stringify(info(control.url))}\n`)
