/**
 * On every answer that is data. A browser must not guess another type than the one named, must not run, load or frame
 * anything of it should it be shown as a page, and must not hand it to pages of other sites as an image or a script.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
} as const;
