import { useSyncExternalStore } from "react";

import { ago, moment } from "../i18n/format";
import { useSpeech } from "../i18n/language";

const TICK_MS = 5000;

/** One clock for all times on the page. */
const listeners = new Set<() => void>();
let now = Date.now();
setInterval(() => {
  now = Date.now();
  for (const listener of listeners) listener();
}, TICK_MS);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The time in milliseconds, fresh every few seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A moment, as long ago; the whole of it, in the reader's zone, on hover. */
export function When({ at }: { at: string | null | undefined }) {
  const { say, language } = useSpeech();
  const current = useNow();
  if (at == null) return <span className="none">{say("common.unknown")}</span>;
  const date = new Date(at);
  // Rows may be newer than the last tick.
  const reference = new Date(Math.max(current, Math.min(date.getTime(), Date.now())));
  return (
    <time dateTime={at} title={moment(language, date)}>
      {ago(language, date, reference) ?? say("time.now")}
    </time>
  );
}

/** Seconds from one moment to another, or until now while there is no end. */
export function useSeconds(from: string | null | undefined, to: string | null | undefined): number | null {
  const current = useNow();
  if (from == null) return null;
  const end = to == null ? current : new Date(to).getTime();
  return Math.max(0, (end - new Date(from).getTime()) / 1000);
}

export function Took({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  const { duration } = useSpeech();
  const seconds = useSeconds(from, to);
  return seconds === null ? null : <span className="number">{duration(seconds)}</span>;
}
