import type { IncomingHttpHeaders } from 'node:http';

/** An IPv4 address, an IPv6 address, or a name without a dot; each with a port or without. */
const NOBODY_ELSES =
  /^(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]|[a-z0-9_-]+|(?:[a-z0-9_-]+\.)+localhost)\.?(?::\d+)?$/i;

export interface WebPageRules {
  /** Host names with a dot under which this API may be called. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may call it. */
  readonly corsOrigins: readonly string[];
}

/**
 * Where no key is asked for, being able to reach the port is what protects it; and every web page that is open on this
 * machine can make the browser reach it. Two ways are closed here:
 * - a name of the page's own that is made to point to this machine (DNS rebinding): the browser then takes the API for the
 *   page's own server, and lets it read. Nobody can do that with an address or with a name that has no dot.
 * - requests that browsers send to any site without asking, such as a POST without a body: they carry the page's `Origin`.
 *
 * Answers why a request is refused, if it is.
 */
export function createWebPageCheck(
  rules: WebPageRules,
): (headers: IncomingHttpHeaders) => string | undefined {
  // Nearly every request names the same host.
  let last: string | undefined;

  function allowedHost(host: string): boolean {
    return NOBODY_ELSES.test(host) || rules.allowedHosts.includes(host.replace(/:\d+$/, '').toLowerCase());
  }

  return ({ host, origin }) => {
    if (host !== undefined && host !== last) {
      if (!allowedHost(host)) {
        return 'This host name is not one that this API is called by while it has no API keys: add it to ALLOWED_HOSTS.';
      }
      last = host;
    }
    if (origin !== undefined && !sameOrigin(origin, host) && !rules.corsOrigins.includes(origin)) {
      return 'Web pages of other origins may not call this API while it has no API keys: add the origin to CORS_ORIGINS.';
    }
    return undefined;
  };
}

/** Whatever the scheme: TLS may end in front of this process. */
function sameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && origin.replace(/^https?:\/\//, '') === host;
}
