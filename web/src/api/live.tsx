import { ApiError, watch } from "@athanor/client";
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, use, useEffect, useState, type ReactNode } from "react";

import { StaleKeys, staleAfter } from "./stale";
import { storedToken } from "./token";

export type Liveness = "wait" | "on" | "off";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

const Live = createContext<Liveness>("wait");

/** Holds the page's one event stream, and refreshes what its events make stale. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const [liveness, setLiveness] = useState<Liveness>("wait");
  useEffect(() => {
    const ended = new AbortController();
    void follow(queryClient, setLiveness, ended.signal);
    return () => ended.abort();
  }, [queryClient]);
  return <Live value={liveness}>{children}</Live>;
}

export function useLiveness(): Liveness {
  return use(Live);
}

async function follow(
  queryClient: QueryClient,
  tell: (liveness: Liveness) => void,
  ended: AbortSignal,
): Promise<void> {
  const stale = new StaleKeys((keys) =>
    queryClient.invalidateQueries({ predicate: (query) => keys.includes(String(query.queryKey[0])) }),
  );
  let after: number | undefined;
  let pause = FIRST_PAUSE_MS;
  while (!ended.aborted) {
    await untilVisible(ended);
    const hidden = new AbortController();
    const stop = (): void => {
      if (document.hidden) hidden.abort();
    };
    // A browser gives a page's origin six connections over all tabs: hidden ones hold none.
    document.addEventListener("visibilitychange", stop);
    try {
      const signal = AbortSignal.any([ended, hidden.signal]);
      const onOpen = (): void => {
        pause = FIRST_PAUSE_MS;
        tell("on");
        // What happened before the stream was open, and after the answers that are kept.
        void queryClient.invalidateQueries();
      };
      for await (const event of watch({
        token: storedToken,
        signal,
        onOpen,
        ...(after === undefined ? {} : { after }),
      })) {
        after = event.seq;
        stale.add(staleAfter(event.action));
      }
    } catch (error) {
      if (ended.aborted) return;
      // A refused token is asked for again by the queries; here there is nothing to add.
      if (error instanceof ApiError && error.status === 401) pause = LONGEST_PAUSE_MS;
    } finally {
      document.removeEventListener("visibilitychange", stop);
    }
    if (!hidden.signal.aborted) {
      tell("off");
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

async function untilVisible(ended: AbortSignal): Promise<void> {
  while (document.hidden && !ended.aborted) {
    await new Promise((resolve) =>
      document.addEventListener("visibilitychange", resolve, { once: true }),
    );
  }
}
