// Starts the reference network, and prints one line of JSON that describes the
// network as soon as all servers are ready. The network stops on SIGTERM, on
// SIGINT, on POST /stop, and at the end of stdin.
import { startedAt } from './settings.mjs' // imported first, because it sets environment variables
import './clients.mjs' // imported before the PDS, because it replaces fetch
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
  setTimeout(() => process.exit(), 3000) // limits the time in which a PDS waits for open connections
  control.stop()
  dns.stop()
  await stopPdses()
  await plc.stop()
  process.exit()
}

process.on('SIGTERM', stop).on('SIGINT', stop)
// The process that started the network keeps stdin open. If that process ends,
// stdin ends and the network stops, too.
process.stdin.on('end', stop).on('error', stop).resume()

process.stdout.write(`${JSON.stringify(info(control.url))}\n`)
