import type { Run } from "@athanor/client";
import { useMemo, type ReactNode } from "react";

import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { Id } from "../parts/Id";
import { StateBadge } from "../parts/StateBadge";
import { Took, When } from "../parts/When";

const idOf = (run: Run): string => run.id;
const hrefOf = (run: Run): string => `/runs/${run.id}`;

/** Runs, as they are shown wherever they are listed. */
export function RunsTable(props: {
  runs: readonly Run[];
  label: string;
  question?: string;
  immediate?: boolean;
  addressed?: boolean;
  tools?: ReactNode;
}) {
  const { runs, ...rest } = props;
  const { say } = useSpeech();
  const columns = useMemo<Column<Run>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (run) => run.name },
      {
        id: "state",
        header: say("common.state"),
        value: (run) => run.state,
        cell: (run) => <StateBadge state={run.state} />,
      },
      { id: "kind", header: say("common.kind"), value: (run) => run.kind },
      {
        id: "started",
        header: say("common.started"),
        value: (run) => run.started_at,
        cell: (run) => <When at={run.started_at} />,
      },
      {
        id: "took",
        header: say("common.took"),
        numeric: true,
        value: secondsOf,
        cell: (run) =>
          run.state === "waiting" ? null : <Took from={run.started_at} to={run.ended_at ?? null} />,
      },
      { id: "by", header: say("common.by"), value: (run) => run.created_by },
      { id: "id", header: say("common.id"), value: (run) => run.id, cell: (run) => <Id id={run.id} /> },
    ],
    [say],
  );
  return <DataTable rows={runs} columns={columns} idOf={idOf} hrefOf={hrefOf} {...rest} />;
}

function secondsOf(run: Run): number {
  if (run.ended_at == null) return Number.POSITIVE_INFINITY;
  return (Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000;
}
