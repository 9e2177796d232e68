// Takes DPoP proofs and client assertions apart for the log, and checks of a
// proof what can be checked without knowing the session.
import { createHash, createPublicKey, verify } from 'node:crypto'

const HASHES = { ES256: 'sha256', ES256K: 'sha256', ES384: 'sha384', ES512: 'sha512' }

function decode(jwt) {
  try {
    const [header, claims, signature] = jwt.split('.')
    const json = (part) => JSON.parse(Buffer.from(part, 'base64url'))
    return { header: json(header), claims: json(claims), signature: Buffer.from(signature, 'base64url') }
  } catch {
    return undefined
  }
}

export function describeAssertion(jwt) {
  const decoded = decode(jwt)
  return decoded && { header: decoded.header, claims: decoded.claims, signature_bytes: decoded.signature.length }
}

// The log's members about DPoP. With several DPoP headers they tell of the first.
export function describeDpop(req) {
  const proofs = req.rawHeaders.filter((_, index) => index % 2 === 1 && req.rawHeaders[index - 1].toLowerCase() === 'dpop')
  const decoded = proofs.length > 0 ? decode(proofs[0]) : undefined
  return {
    dpop_headers: proofs.length,
    dpop_header: decoded?.header,
    dpop: decoded?.claims,
    dpop_signature_bytes: decoded?.signature.length,
    dpop_signature_valid: proofs.length > 0 ? signatureIsValid(proofs[0], decoded) : undefined,
    ath_valid: athIsValid(decoded?.claims, req.headers.authorization),
  }
}

function signatureIsValid(jwt, decoded) {
  try {
    const { alg, jwk } = decoded.header
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const signed = Buffer.from(jwt.slice(0, jwt.lastIndexOf('.')))
    return Boolean(HASHES[alg]) && verify(HASHES[alg], signed, { key, dsaEncoding: 'ieee-p1363' }, decoded.signature)
  } catch {
    return false
  }
}

// Does the proof's ath name the token in the Authorization header? null when
// the request has no proof or no token.
function athIsValid(claims, authorization) {
  const token = authorization?.split(' ')[1]
  if (!claims || !token) return null
  return claims.ath === createHash('sha256').update(token).digest('base64url')
}
