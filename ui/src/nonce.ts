/** The nonce that the page's policy gives to its style elements. The server writes it into the page for each answer. */
export function cspNonce(): string {
  return document.querySelector('meta[name="csp-nonce"]')?.getAttribute("content") ?? "";
}
