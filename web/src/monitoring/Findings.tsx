import type { ColumnFinding, WindowReport } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { Loaded } from "../parts/Loaded";
import { StateBadge } from "../parts/StateBadge";

/** What one window of predictions shows, column by column, strongest evidence first. */
export function Findings({ monitor, number }: { monitor: string; number: number }) {
  const { say } = useSpeech();
  const report = useQuery(queries.window(monitor, number));
  return (
    <section aria-labelledby="findings">
      <h2 id="findings">{say("findings.title", { n: number })}</h2>
      <Loaded query={report} what={say("findings.title", { n: number })}>
        {(found) => <Columns report={found} />}
      </Loaded>
    </section>
  );
}

function Columns({ report }: { report: Pick<WindowReport, "reason" | "columns"> }) {
  const { say, number } = useSpeech();
  const rows = useMemo(
    () => [...(report.columns ?? [])].sort((left, right) => left.p_value - right.p_value),
    [report],
  );
  const columns = useMemo<Column<ColumnFinding>[]>(
    () => [
      { id: "column", header: say("findings.column"), value: (row) => row.column },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => (row.drifted ? "drifted" : "healthy"),
        cell: (row) => <StateBadge state={row.drifted ? "drifted" : "healthy"} />,
      },
      {
        id: "evidence",
        header: say("findings.pValue"),
        numeric: true,
        value: (row) => row.adjusted,
        cell: (row) => <span title={String(row.adjusted)}>{number(row.adjusted)}</span>,
      },
      {
        id: "explanation",
        header: say("monitoring.explanation"),
        value: (row) => row.explanation,
        cell: (row) => <span className="long">{row.explanation}</span>,
      },
    ],
    [say, number],
  );
  return (
    <>
      <p>{report.reason}</p>
      <DataTable label={say("findings.columns")} rows={rows} columns={columns} idOf={idOf} immediate />
    </>
  );
}

const idOf = (row: ColumnFinding): string => `${row.role} ${row.column}`;
