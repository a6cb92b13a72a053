import { Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { useSpeech } from "../i18n/language";
import { Failure } from "./Failure";

/**
 * A query's answer, the skeleton of it while it comes, or what went wrong.
 *
 * An answer that is there stays when refreshing it fails: the header's dot says that it is old.
 */
export function Loaded<T>({
  query,
  what,
  lines = 4,
  children,
}: {
  query: UseQueryResult<T>;
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  const { say } = useSpeech();
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) {
    return <Failure what={what} error={query.error} retry={() => void query.refetch()} />;
  }
  return (
    <div aria-busy="true" aria-label={say("app.loading")} role="status" className="skeleton">
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} height={18} width={`${95 - 12 * (line % 3)}%`} />
      ))}
    </div>
  );
}
