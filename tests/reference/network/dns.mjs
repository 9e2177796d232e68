// DNS server for the handles, over UDP and TCP on one port. It has TXT records of
// _atproto.<handle> and A records of <handle>. control.mjs serves the same records
// as DNS over HTTPS.
import dgram from 'node:dgram'
import net from 'node:net'
import { findHandle } from './handles.mjs'
import { choosePort, listen } from './settings.mjs'

const A = 1
const TXT = 16
const OPT = 41
const NOERROR = 0
const SERVFAIL = 2
const NXDOMAIN = 3

// Log of all questions: {t, name, type, via, rcode, answers}, or {t, name, type,
// via, silent: true} for a question without a response.
export const dnsLog = []

// Returns the answer to a question, or undefined for no response.
export function resolve(name, type, via) {
  const entry = { t: Date.now(), name, type, via }
  dnsLog.push(entry)
  const isTxtName = name.startsWith('_atproto.')
  const handle = findHandle(name.replace(/^_atproto\./, ''))
  const mode = isTxtName ? handle?.dns : undefined
  if (mode === 'silent') {
    entry.silent = true
    return undefined
  }
  let rcode = NOERROR
  let answers = []
  if (!handle || mode === 'nxdomain') rcode = NXDOMAIN
  else if (mode === 'servfail') rcode = SERVFAIL
  else if (isTxtName && type === TXT && mode !== 'none') answers = handle.txt
  else if (!isTxtName && type === A) answers = ['127.0.0.1']
  Object.assign(entry, { rcode, answers: answers.length })
  return { rcode, answers, truncated: mode === 'truncated' && via === 'udp' }
}

// Returns the response to a DNS message, or undefined for no response.
export function answerMessage(query, via) {
  const question = parseQuestion(query)
  const result = resolve(question.name, question.type, via)
  if (!result) return undefined

  const records = result.answers.map((answer) => record(question.type, answer))
  const whole = message(query, question, result.rcode, records, false)
  const tooLong = via === 'udp' && whole.length > question.udpSize
  return result.truncated || tooLong ? message(query, question, result.rcode, [], true) : whole
}

function parseQuestion(query) {
  const labels = []
  let at = 12
  while (query[at] !== 0) {
    labels.push(query.subarray(at + 1, at + 1 + query[at]).toString())
    at += 1 + query[at]
    if (at >= query.length) throw new Error('the name does not end')
  }
  const end = at + 5
  // An OPT record (EDNS) after the question gives the largest UDP response.
  const hasOpt = query.length >= end + 11 && query[end] === 0 && query.readUInt16BE(end + 1) === OPT
  return {
    name: labels.join('.').toLowerCase(),
    type: query.readUInt16BE(at + 1),
    end,
    udpSize: hasOpt ? Math.max(512, query.readUInt16BE(end + 3)) : 512,
  }
}

function message(query, question, rcode, records, truncated) {
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2) // id
  header[2] = 0x84 | (truncated ? 0x02 : 0) | (query[2] & 0x01) // response, authoritative, TC, RD
  header[3] = 0x80 | rcode // recursion available
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, query.subarray(12, question.end), ...records])
}

function record(type, answer) {
  const data =
    type === A
      ? Buffer.from(answer.split('.').map(Number))
      : Buffer.concat(answer.flatMap((part) => [Buffer.from([Buffer.byteLength(part)]), Buffer.from(part)]))
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0) // pointer to the name of the question
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4) // class IN
  head.writeUInt32BE(1, 6) // TTL: one second
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

export async function startDns() {
  const port = await choosePort('DNS')
  const udp = dgram.createSocket('udp4', (query, from) => {
    const answer = attempt(query, 'udp')
    if (answer) udp.send(answer, from.port, from.address)
  })
  await new Promise((done, fail) => udp.once('error', fail).bind(port, '127.0.0.1', done))

  const connections = new Set()
  const tcp = net.createServer((socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket)).on('error', () => {})
    answerStream(socket)
  })
  await listen(tcp, port)

  const stop = () => {
    udp.close()
    tcp.close()
    for (const socket of connections) socket.destroy()
  }
  return { address: `127.0.0.1:${port}`, stop }
}

// Answers messages over TCP, where each message follows its length in two bytes.
function answerStream(socket) {
  let received = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      const answer = attempt(received.subarray(2, end), 'tcp')
      received = received.subarray(end)
      if (!answer) continue
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(Buffer.concat([length, answer]))
    }
  })
}

// Returns the response, or undefined if the query is malformed.
function attempt(query, via) {
  try {
    return answerMessage(query, via)
  } catch {
    return undefined
  }
}
