// Things to settle before the reference packages load: their environment, the
// start time, the ports and the directory that holds all data of this run.
// Import this module first.
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'

process.env.LOG_ENABLED ??= 'false' // the PDS's own log would go to stdout
process.env.NODE_ENV ??= 'production'

export const startedAt = Date.now()

export const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'atproto-reference-network-'))
// a PDS may still be writing its last file while this runs
process.on('exit', () => fs.rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))

// https client ids and the https issuer need names that look public; neither is
// ever looked up in the real DNS.
export const tlsHost = process.env.REFERENCE_TLS_HOST ?? 'pds.reference-network.dev'

// REFERENCE_<NAME>_PORT, or a port that is free right now.
export async function choosePort(name) {
  const wanted = Number(process.env[`REFERENCE_${name}_PORT`])
  if (wanted) return wanted
  const server = net.createServer()
  await listen(server, 0)
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}

export function listen(server, port, host = '127.0.0.1') {
  return new Promise((done, fail) => server.once('error', fail).listen(port, host, done))
}
