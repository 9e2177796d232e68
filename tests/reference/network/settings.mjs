// Settings of this run: environment variables of the reference packages, the start
// time, the ports, and the directory that holds all data. This module must be
// imported before the reference packages, because they read the environment.
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'

process.env.LOG_ENABLED ??= 'false' // the log of the PDS would be mixed with the JSON line on stdout
process.env.NODE_ENV ??= 'production'

export const startedAt = Date.now()

export const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'atproto-reference-network-'))
// The removal is retried, because a PDS may still write a file at this moment.
process.on('exit', () => fs.rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))

// Host of the https issuer, PDS s. The name must look public. It is never looked
// up in the public DNS.
export const tlsHost = process.env.REFERENCE_TLS_HOST ?? 'pds.reference-network.dev'

// Returns the port in REFERENCE_<NAME>_PORT, or else a port that is free now.
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
