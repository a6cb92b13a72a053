import { failure } from "./errors.js";

/** One thing that happened, as the server's event stream tells it. */
export interface EventTold {
  seq: number;
  action: string;
  /** The event's JSON: actor, subject, time, detail. */
  data: unknown;
}

export interface Watch {
  url?: string;
  token?: () => string | null;
  /** Tell only what came after this; leave out to hear from now on. */
  after?: number;
  signal: AbortSignal;
  /** Called once the server has accepted the stream. */
  onOpen?: () => void;
}

/**
 * Follow the events until the signal aborts or the connection ends.
 *
 * By fetch rather than EventSource, which cannot send an Authorization header.
 */
export async function* watch(options: Watch): AsyncGenerator<EventTold> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  const token = options.token?.() ?? null;
  if (token !== null) headers["Authorization"] = `Bearer ${token}`;
  const query = options.after === undefined ? "" : `?after=${options.after}`;
  const answer = await fetch(`${options.url ?? ""}/api/v1/events/stream${query}`, {
    headers,
    signal: options.signal,
    cache: "no-store",
  });
  if (!answer.ok || answer.body === null) {
    throw failure(answer.status, await answer.json().catch(() => null));
  }
  options.onOpen?.();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new FrameParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.push(value);
  }
}

/** Cuts a stream of server-sent events into events, wherever the network cut it. */
export class FrameParser {
  private rest = "";

  push(chunk: string): EventTold[] {
    // A lone carriage return at the end may be the first half of a line end.
    const text = (this.rest + chunk).replace(/\r\n/g, "\n");
    const frames = text.split("\n\n");
    this.rest = frames.pop() ?? "";
    return frames.map(parseFrame).filter((event) => event !== null);
  }
}

function parseFrame(frame: string): EventTold | null {
  let seq = Number.NaN;
  let action = "";
  const data: string[] = [];
  for (const line of frame.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") seq = Number(value);
    else if (field === "event") action = value;
    else if (field === "data") data.push(value);
  }
  if (!Number.isSafeInteger(seq) || data.length === 0) return null;
  return { seq, action, data: JSON.parse(data.join("\n")) };
}
