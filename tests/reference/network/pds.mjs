// The four reference PDSes, their accounts and their knobs.
//
//   a  PDS that is its own authorization server
//   b  PDS that is its own authorization server, a second issuer
//   r  PDS that is only a resource server: it shares the data directory of a, and a
//      issues its tokens
//   s  PDS and authorization server over https, with a name that looks public
import fs from 'node:fs'
import https from 'node:https'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { PDS, envToCfg, envToSecrets } from '@atproto/pds'
import { DpopNonce } from '@atproto/oauth-provider/verifier'
import { Secp256k1Keypair } from '@atproto/crypto'
import { clearClientCache, makeClientCacheClearable, realFetch } from './clients.mjs'
import { accounts, getPds, pdses } from './registry.mjs'
import { choosePort, dataDir, listen, tlsHost } from './settings.mjs'
import { createAuthority } from './tls.mjs'
import { tapWire } from './wire.mjs'

export async function startPdses(plcUrl) {
  const a = await startPds('a', { plcUrl })
  await startPds('b', { plcUrl })

  const r = await startPds('r', { plcUrl, sharing: a })
  r.authorizationServer = a.issuer
  // The metadata of a must list r, because a client may reject r otherwise (RFC 9728
  // section 4).
  a.protectedResources = [a.url, r.url]

  await startPds('s', { plcUrl, host: tlsHost })

  await createAccount('a', 'alice.test', 'alice-pass')
  await createAccount('a', 'carol.test', 'carol-pass')
  await createAccount('b', 'bob.test', 'bob-pass')
  await createAccount('r', 'rita.test', 'rita-pass')
  await createAccount('s', 'sam.test', 'sam-pass')
}

async function startPds(name, { plcUrl, sharing, host }) {
  const port = await choosePort(`PDS_${name.toUpperCase()}`)
  const directory = sharing?.directory ?? path.join(dataDir, name)
  const secrets = sharing?.secrets ?? (await makeSecrets())
  fs.mkdirSync(path.join(directory, 'blobs'), { recursive: true })

  const env = {
    devMode: true, // allows an http: issuer
    disableSsrfProtection: true,
    port,
    hostname: 'localhost', // for other hostnames, the PDS uses https:
    serviceHandleDomains: ['.test'],
    serviceName: `Reference PDS ${name}`,
    didPlcUrl: plcUrl,
    dataDirectory: directory,
    blobstoreDiskLocation: path.join(directory, 'blobs'),
    blobUploadLimit: 100 * 1024 * 1024,
    inviteRequired: false,
    rateLimitsEnabled: false,
    bskyAppViewUrl: 'https://appview.invalid',
    bskyAppViewDid: 'did:example:invalid',
    ...secrets,
  }
  const config = envToCfg(env)
  if (sharing) config.oauth.issuer = sharing.issuer
  const tlsPort = host && (await choosePort(`PDS_${name.toUpperCase()}_TLS`))
  if (host) config.service.publicUrl = config.oauth.issuer = `https://${host}:${tlsPort}`

  const server = await PDS.create(config, envToSecrets(env))
  await server.start()
  const pds = {
    name,
    directory,
    secrets,
    server,
    provider: server.ctx.oauthProvider,
    did: config.service.did,
    url: config.service.publicUrl,
    issuer: config.oauth.issuer,
    plainUrl: `http://localhost:${port}`, // URL of the PDS without TLS
    faults: [],
    log: [],
    resetNonce, // makes all DPoP nonces issued so far invalid
  }
  pdses[name] = pds
  tapWire(pds)
  makeClientCacheClearable(pds.provider)
  if (host) await startTls(pds, host, tlsPort)
  return pds
}

async function makeSecrets() {
  const rotationKey = await Secp256k1Keypair.create({ exportable: true })
  return {
    adminPassword: 'admin-pass',
    jwtSecret: randomBytes(16).toString('hex'),
    dpopSecret: randomBytes(32).toString('hex'),
    plcRotationKeyK256PrivateKeyHex: Buffer.from(await rotationKey.export()).toString('hex'),
    recoveryDidKey: (await Secp256k1Keypair.create()).did(),
  }
}

async function startTls(pds, host, port) {
  const authority = createAuthority()
  const caFile = path.join(dataDir, 'ca.pem')
  fs.writeFileSync(caFile, authority.cert)
  pds.tlsServer = https.createServer(authority.issue(host), pds.handle)
  await listen(pds.tlsServer, port)
  pds.tls = { host, addr: `127.0.0.1:${port}`, ca_pem: caFile }
}

export async function createAccount(pdsName, handle, password) {
  const pds = getPds(pdsName)
  const email = `${handle.replaceAll('.', '-')}@mail.test`
  const response = await realFetch(`${pds.plainUrl}/xrpc/com.atproto.server.createAccount`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, handle, password }),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(`createAccount failed for ${handle}: ${response.status} ${JSON.stringify(answer)}`)
  const account = { handle: answer.handle, did: answer.did, password, email, pds: pds.url, issuer: pds.issuer, server: pds.name }
  accounts.push(account)
  return account
}

// Sets knobs of a PDS. The parameter is the body of POST /knobs: {pds,
// access_token_ms?, nonce_rotation_ms?, reset_nonce?, nonces: false?,
// clear_client_cache?}.
export function setKnobs(knobs) {
  const pds = getPds(knobs.pds)
  if (knobs.access_token_ms) pds.provider.tokenManager.tokenMaxAge = knobs.access_token_ms
  if (knobs.nonce_rotation_ms) pds.nonceRotationMs = knobs.nonce_rotation_ms
  if (knobs.nonce_rotation_ms || knobs.reset_nonce) pds.resetNonce()
  if (knobs.nonces === false) pds.provider.dpopManager.dpopNonce = undefined
  if (knobs.clear_client_cache) clearClientCache()
  return { ok: true, next_nonce: pds.provider.nextDpopNonce() }
}

function resetNonce() {
  this.provider.dpopManager.dpopNonce = new DpopNonce(randomBytes(32), this.nonceRotationMs)
}

export async function stopPdses() {
  for (const pds of Object.values(pdses)) {
    pds.tlsServer?.close()
    pds.tlsServer?.closeAllConnections()
  }
  await Promise.allSettled(Object.values(pdses).map((pds) => pds.server.destroy()))
}
