import { useCallback, useState } from "react";

/** Which rows to show: all that were seen, and none that came while the reader looked. */
export interface Held {
  seen: ReadonlySet<string>;
  /** The list's question; another one starts afresh. */
  question: string;
}

/** What is shown next, given what there is now. Pure, so that it can be tested alone. */
export function admit(held: Held | null, question: string, ids: readonly string[]): Held {
  const afresh = held === null || held.question !== question || held.seen.size === 0;
  // An empty table has nothing that could jump: its first rows appear at once.
  return afresh ? { seen: new Set(ids), question } : held;
}

/**
 * Rows that arrive while others are shown wait behind a button, so that nothing jumps under the
 * reader's hand; rows already shown change in place.
 */
export function useHeld<Row>(
  rows: readonly Row[],
  idOf: (row: Row) => string,
  question: string,
): { shown: Row[]; waiting: number; show: () => void } {
  const [held, setHeld] = useState<Held | null>(null);
  const admitted = admit(held, question, rows.map(idOf));
  if (admitted !== held) setHeld(admitted);
  const shown = rows.filter((row) => admitted.seen.has(idOf(row)));
  const show = useCallback(() => setHeld(null), []);
  return { shown, waiting: rows.length - shown.length, show };
}
