import createFetch, { type Client as FetchClient } from "openapi-fetch";

import { failure, ApiError } from "./errors.js";
import type { paths } from "./schema.js";

export interface Connection {
  /** Where the server answers, without a trailing slash; "" is the page's own origin. */
  url?: string;
  /** Asked before each request, so that a token typed later is sent from then on. */
  token?: () => string | null;
  fetch?: typeof globalThis.fetch;
}

/** Every path of the API, typed: `athanor.GET("/api/v1/runs", ...)`. */
export type Client = FetchClient<paths>;

export function connect(connection: Connection = {}): Client {
  const client = createFetch<paths>({
    baseUrl: connection.url ?? "",
    ...(connection.fetch ? { fetch: connection.fetch } : {}),
  });
  client.use({
    onRequest({ request }) {
      const token = connection.token?.() ?? null;
      if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
      return request;
    },
  });
  return client;
}

/**
 * The data of an answer, or an ApiError: what the server said where it said something, and
 * "unreachable" where there was no answer.
 */
export async function read<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let answer;
  try {
    answer = await asked;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError({ status: 0, code: "unreachable", message: String(cause) });
  }
  if (!answer.response.ok) throw failure(answer.response.status, answer.error);
  return answer.data as T;
}
