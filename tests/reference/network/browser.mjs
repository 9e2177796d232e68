// Simulates a browser and its user: opens the authorization page, signs in, and
// approves or denies. It uses the same API as the script of the page.
import http from 'node:http'
import { pdses } from './registry.mjs'

export const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130 Safari/537.36'

const profiles = new Map() // map from `session` of POST /approve to a Browser, which keeps its cookies

class Browser {
  cookies = new Map()

  // Uses node:http, because fetch() always sends its own sec-fetch-mode header.
  async request(url, { method = 'GET', headers = {}, json } = {}) {
    const target = new URL(url)
    const tlsPds = Object.values(pdses).find((pds) => pds.tls && pds.url === target.origin)
    const body = json && Buffer.from(JSON.stringify(json))
    const response = await new Promise((done, fail) => {
      const request = http.request(tlsPds ? new URL(target.pathname + target.search, tlsPds.plainUrl) : target, {
        method,
        headers: {
          'user-agent': USER_AGENT,
          accept: json ? 'application/json' : 'text/html',
          'accept-language': 'en',
          ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
          ...(this.cookies.size > 0 && { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
          ...headers,
        },
      })
      request.on('response', done).on('error', fail).end(body)
    })
    for (const cookie of response.headers['set-cookie'] ?? []) this.#keep(cookie)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode, location: response.headers.location, text, json: parseJson(text) }
  }

  #keep(cookie) {
    const [, name, value] = cookie.match(/^([^=]*)=([^;]*)/)
    if (value === '' || /max-age=0(;|$)/i.test(cookie)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

// Approves a login. `order` is {authorization_url, identifier, password, remember?,
// scope?, session?}. The result is {step, status, redirect_url, params}.
export const approve = (order) => visit(order, (page) => signInAndConsent(page, order))

// Denies a login. `order` is {authorization_url, session?}.
export const deny = (order) => visit(order, async (page) => ({ step: 'reject', answer: await page.call('/reject', {}) }))

// Opens the authorization page, runs `decide` on it, and follows the redirect of the
// page. Returns the redirect to the client.
async function visit({ authorization_url, session }, decide) {
  const browser = profiles.get(session) ?? new Browser()
  if (session) profiles.set(session, browser)

  const opened = await browser.request(authorization_url, { headers: navigation('cross-site') })
  const page = openPage(browser, authorization_url, opened)
  // There is no page after an error or an immediate redirect, for example of prompt=none.
  if (!page) return { step: 'authorize', ...outcome(opened) }

  const { step, answer } = await decide(page)
  if (answer.status !== 200 || !answer.json?.url) {
    return { step, status: answer.status, body: answer.json ?? answer.text.slice(0, 2000) }
  }
  const last = await browser.request(answer.json.url, { headers: { ...navigation('same-origin'), referer: page.url } })
  return { step: 'redirect', ...outcome(last) }
}

function openPage(browser, authorizationUrl, opened) {
  if (opened.status !== 200 || opened.location) return undefined
  const url = new URL(authorizationUrl)
  if (!url.searchParams.has('request_uri')) {
    // If the request was not pushed, the script of the page adds the request_uri to
    // the URL of the page. The request_uri is in the hydration data of the page.
    const requestUri = opened.text.match(/urn:ietf:params:oauth:request_uri:req-[0-9a-f]+/)?.[0]
    if (!requestUri) return undefined
    url.search = new URLSearchParams({ client_id: url.searchParams.get('client_id'), request_uri: requestUri })
  }
  const call = (endpoint, json, headers = {}) =>
    browser.request(`${url.origin}/@atproto/oauth-provider/~api${endpoint}`, {
      method: 'POST',
      json,
      headers: {
        origin: url.origin,
        referer: url.href,
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'same-origin',
        'sec-fetch-dest': 'empty',
        'x-csrf-token': browser.cookies.get('csrf-token') ?? '',
        ...headers,
      },
    })
  return { url: url.href, call }
}

async function signInAndConsent(page, { identifier, password, remember, scope }) {
  const signedIn = await page.call('/sign-in', { locale: 'en', username: identifier, password, remember: Boolean(remember) })
  if (signedIn.status !== 200) return { step: 'sign-in', answer: signedIn }
  const { account, ephemeralToken } = signedIn.json
  const consent = { did: account.did, ...(scope && { scope }) }
  const headers = ephemeralToken ? { authorization: `Bearer ${ephemeralToken}` } : {}
  return { step: 'consent', answer: await page.call('/consent', consent, headers) }
}

const navigation = (site) => ({
  'sec-fetch-site': site,
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'upgrade-insecure-requests': '1',
})

// Returns the redirect to the client with its parameters; without a redirect, the
// form of form_post, or the error page.
function outcome({ status, location, text, json }) {
  if (location) {
    const url = new URL(location)
    const params = url.hash.length > 1 ? new URLSearchParams(url.hash.slice(1)) : url.searchParams
    return { status, redirect_url: location, params: Object.fromEntries(params) }
  }
  if (status === 200 && /<form[^>]+action="/.test(text)) return { status, ...formPost(text) }
  return { status, redirect_url: null, error_data: pageError(text), page: text.slice(0, 4000), body: json }
}

// Reads the self-submitting form that response_mode=form_post uses instead of a
// redirect.
function formPost(html) {
  const action = unescapeHtml(html.match(/<form[^>]+action="([^"]+)"/)[1])
  const params = {}
  for (const [input] of html.matchAll(/<input[^>]+>/g)) {
    const name = input.match(/name="([^"]*)"/)?.[1]
    if (name) params[unescapeHtml(name)] = unescapeHtml(input.match(/value="([^"]*)"/)?.[1] ?? '')
  }
  return { response_mode: 'form_post', action, params }
}

function unescapeHtml(text) {
  const named = { amp: '&', quot: '"', lt: '<', gt: '>', apos: "'" }
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return named[name] ?? whole
    return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal))
  })
}

// Reads the error of an error page, which is JSON in a JSON string in a script.
function pageError(html) {
  const quoted = html.match(/window\["__errorData"\]=JSON\.parse\(("(?:[^"\\]|\\.)*")\)/)?.[1]
  return quoted && parseJson(parseJson(quoted))
}

function parseJson(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
