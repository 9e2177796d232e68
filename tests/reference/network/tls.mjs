// Temporary certificate authority and server certificates, for the PDS with an
// https issuer. This module encodes X.509 itself (P-256, ECDSA with SHA-256), so
// that neither the openssl command nor a package is necessary.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

function der(tag, ...parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const length = []
  for (let rest = body.length; rest > 0; rest >>= 8) length.unshift(rest & 0xff)
  const prefix = body.length < 0x80 ? [tag, body.length] : [tag, 0x80 | length.length, ...length]
  return Buffer.concat([Buffer.from(prefix), body])
}

const sequence = (...parts) => der(0x30, ...parts)
const set = (...parts) => der(0x31, ...parts)
const oid = (...bytes) => der(0x06, bytes)
const integer = (bytes) => der(0x02, bytes)
const octets = (bytes) => der(0x04, bytes)
const bits = (bytes, unused = 0) => der(0x03, [unused], bytes)
const yes = der(0x01, [0xff])
const time = (date) => der(0x17, Buffer.from(date.toISOString().slice(2).replace(/[-:T]|\.\d+/g, '')))

const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const COMMON_NAME = oid(0x55, 0x04, 0x03)
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13)
const KEY_USAGE = oid(0x55, 0x1d, 0x0f)
const EXTENDED_KEY_USAGE = oid(0x55, 0x1d, 0x25)
const SERVER_AUTH = oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01)
const SUBJECT_ALT_NAME = oid(0x55, 0x1d, 0x11)

const name = (commonName) => sequence(set(sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))))
const critical = (id, value) => sequence(id, yes, octets(value))
const extension = (id, value) => sequence(id, octets(value))
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

function certificate({ subject, publicKey, issuer, signingKey, extensions }) {
  const day = 24 * 3600 * 1000
  const serial = randomBytes(16)
  serial[0] = 0x40 | (serial[0] & 0x3f) // the number must be positive, without a leading zero byte
  const body = sequence(
    der(0xa0, integer([2])), // version 3
    integer(serial),
    ECDSA_SHA256,
    name(issuer),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + 30 * day))),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  )
  const signed = sequence(body, ECDSA_SHA256, bits(sign('sha256', body, signingKey)))
  return `-----BEGIN CERTIFICATE-----\n${signed.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`
}

export function createAuthority() {
  const issuer = 'Reference network test CA'
  const authorityKey = newKey()
  const cert = certificate({
    subject: issuer,
    publicKey: authorityKey.publicKey,
    issuer,
    signingKey: authorityKey.privateKey,
    extensions: [
      critical(BASIC_CONSTRAINTS, sequence(yes)),
      critical(KEY_USAGE, bits([0x06], 1)), // keyCertSign, cRLSign
    ],
  })

  const issue = (host) => {
    const key = newKey()
    return {
      key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate({
        subject: host,
        publicKey: key.publicKey,
        issuer,
        signingKey: authorityKey.privateKey,
        extensions: [
          critical(BASIC_CONSTRAINTS, sequence()),
          critical(KEY_USAGE, bits([0x80], 7)), // digitalSignature
          extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTH)),
          extension(SUBJECT_ALT_NAME, sequence(der(0x82, Buffer.from(host)))),
        ],
      }),
    }
  }
  return { cert, issue }
}
