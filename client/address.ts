/**
 * The address of the API without a slash at its end.
 * @throws TypeError where requests cannot be sent there: `fetch` would fail as if there were no network, every time.
 */
export function checkedAddress(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const plain = parsed && !parsed.username && !parsed.password && !parsed.search && !parsed.hash;
  if (!plain || !/^https?:$/.test(parsed.protocol)) {
    throw new TypeError(
      'The url of the API must begin with http:// or https:// and have no user, query or fragment, as in http://127.0.0.1:8080.',
    );
  }
  return url.replace(/\/+$/, '');
}

/** @throws TypeError where no header can hold the API key, such as one with a line break at its end. */
export function checkedKey(key: string | undefined): string | undefined {
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new TypeError('The key must consist of visible ASCII characters, without spaces.');
  }
  return key;
}
