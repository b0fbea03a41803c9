const NAME = 'holdfast-key';

/** Where a key is kept: `sessionStorage`, which ends with the tab. */
interface Store {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The API key of this tab, if it has one. */
export function readKey(store: Store): string | undefined {
  return store.getItem(NAME) ?? undefined;
}

/** Keeps a key for this tab, or forgets it. */
export function keepKey(store: Store, key: string | undefined): void {
  if (key === undefined) store.removeItem(NAME);
  else store.setItem(NAME, key);
}

/** What was typed or pasted as a key, without spaces; `undefined` where it cannot be one. */
export function cleanKey(typed: string): string | undefined {
  const key = typed.replaceAll(/\s/g, '').replace(/^bearer/i, '');
  return /^hf_[0-9a-f]{64}$/.test(key) ? key : undefined;
}
