import type { ShadowDifference } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { Facts } from "../parts/Facts";
import { Id } from "../parts/Id";
import { Loaded } from "../parts/Loaded";
import { When } from "../parts/When";

/** A shadow's answers, which nobody gets, beside those that were returned. */
export function Shadow({ name }: { name: string }) {
  const { say, number, percent, duration } = useSpeech();
  const shadow = useQuery(queries.shadow(name));
  const seconds = (value: number | null | undefined): string => (value == null ? "–" : duration(value));
  return (
    <Loaded query={shadow} what={say("shadow.title")} lines={4}>
      {(found) => (
        <>
          <p>{found.verdict}</p>
          <Facts
            facts={[
              [say("endpoints.model"), `${found.model}@${found.version}`],
              [say("shadow.rows"), number(found.rows ?? 0)],
              [say("shadow.agreement"), found.agreement == null ? "–" : percent(found.agreement)],
              [say("shadow.failed"), number(found.failed ?? 0)],
              [say("shadow.skipped"), number(found.skipped ?? 0)],
              [say("shadow.seconds"), seconds(found.shadow_seconds?.p50)],
              [say("shadow.returned"), seconds(found.seconds?.p50)],
            ]}
          />
          <Differences rows={found.examples ?? []} />
        </>
      )}
    </Loaded>
  );
}

function Differences({ rows }: { rows: readonly ShadowDifference[] }) {
  const { say, number } = useSpeech();
  const columns = useMemo<Column<ShadowDifference>[]>(() => {
    const answer = (label: string | null, score: number | null): string =>
      [label, score === null ? null : number(score)].filter((part) => part !== null).join(" · ");
    return [
      {
        id: "prediction",
        header: say("predictions.one"),
        value: (row) => row.prediction,
        cell: (row) => <Id id={row.prediction} what={say("predictions.one")} />,
      },
      { id: "returned", header: say("shadow.answer"), value: (row) => answer(row.label, row.score) },
      { id: "shadow", header: say("shadow.own"), value: (row) => answer(row.shadow_label, row.shadow_score) },
      { id: "at", header: say("predictions.at"), value: (row) => row.at, cell: (row) => <When at={row.at} /> },
    ];
  }, [say, number]);
  if (rows.length === 0) return <p className="none">{say("shadow.none")}</p>;
  return <DataTable label={say("shadow.differences")} rows={rows} columns={columns} idOf={idOf} immediate />;
}

const idOf = (row: ShadowDifference): string => row.prediction;
