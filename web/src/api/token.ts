const STORED = "athanor-token";

/** The token that the reader typed, for this tab only; null on loopback, where none is needed. */
export function storedToken(): string | null {
  return sessionStorage.getItem(STORED);
}

export function storeToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, token);
}
