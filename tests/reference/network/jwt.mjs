// Decodes DPoP proofs and client assertions for the log, and checks the parts of a
// proof that can be checked without the session: its signature and `ath`.
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

// Returns the DPoP members of a log entry. If a request has several DPoP headers, the
// members describe the first header.
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

// Whether `ath` is the hash of the token in the Authorization header; null if the
// request has no proof or no token.
function athIsValid(claims, authorization) {
  const token = authorization?.split(' ')[1]
  if (!claims || !token) return null
  return claims.ath === createHash('sha256').update(token).digest('base64url')
}
