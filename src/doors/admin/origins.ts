// Which web pages may use this door (Fetch, section 3.2: CORS).
//
// A browser lets any page send a request to any address, also to this one, and says from where.
// Pages of other origins are refused unless they were named, whatever they ask; who is no
// browser says no origin.

import type { IncomingMessage, ServerResponse } from 'node:http'

const ANY = '*'
/** How long a browser may keep the answer, in seconds. */
const MAX_AGE_SECONDS = '600'

export class Origins {
  readonly #allowed: ReadonlySet<string>

  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed)
  }

  /** @returns false: the request is answered */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin, host } = request.headers
    if (origin === undefined || origin === `http://${host}`) return true
    if (!this.#allowed.has(ANY) && !this.#allowed.has(origin)) {
      request.resume()
      response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' })
      response.end(`pages of ${origin} may not use this door: see node.admin.allow_origins\n`)
      return false
    }
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('vary', 'origin')
    if (request.method !== 'OPTIONS') return true
    request.resume()
    response.writeHead(204, {
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'content-type, last-event-id',
      'access-control-max-age': MAX_AGE_SECONDS,
    })
    response.end()
    return false
  }
}
