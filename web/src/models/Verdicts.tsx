import type { Judgement } from "@athanor/client";
import { useMemo } from "react";

import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { StateBadge } from "../parts/StateBadge";

type Verdict = NonNullable<Judgement["verdicts"]>[number];

const idOf = (verdict: Verdict): string => verdict.gate;

/** What each gate said, with its reason. */
export function Verdicts({ judgement, label }: { judgement: Judgement; label: string }) {
  const { say } = useSpeech();
  const columns = useMemo<Column<Verdict>[]>(
    () => [
      { id: "gate", header: say("models.gate"), value: (row) => row.gate },
      {
        id: "verdict",
        header: say("gates.verdict"),
        value: (row) => String(row.passed),
        cell: (row) => <StateBadge state={row.passed ? "passed" : "refused"} />,
      },
      {
        id: "reason",
        header: say("endpoints.reason"),
        value: (row) => row.reason,
        cell: (row) => <span className="long">{row.reason}</span>,
      },
    ],
    [say],
  );
  const verdicts = judgement.verdicts ?? [];
  if (verdicts.length === 0) return <p className="none">{say("gates.noGate")}</p>;
  return <DataTable label={label} rows={verdicts} columns={columns} idOf={idOf} immediate />;
}
