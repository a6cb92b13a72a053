import type { Prediction } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { Command } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Empty } from "../parts/Empty";
import { Id } from "../parts/Id";
import { Loaded } from "../parts/Loaded";
import { When } from "../parts/When";

/** The newest answers that were logged, with the truth where it came. */
export function Predictions({ name }: { name: string }) {
  const { say } = useSpeech();
  const predictions = useQuery(queries.predictions(name));
  return (
    <Loaded query={predictions} what={say("predictions.title")}>
      {(rows) =>
        rows.length === 0 ? (
          <Empty
            title={say("predictions.empty.title")}
            about={say("predictions.empty.about")}
            command={code.ask(name)}
          />
        ) : (
          <>
            <Answers rows={rows} />
            <p>{say("predictions.sql")}</p>
            <Command text={code.predictionsSql(name)} />
          </>
        )
      }
    </Loaded>
  );
}

function Answers({ rows }: { rows: readonly Prediction[] }) {
  const { say, number, duration } = useSpeech();
  const columns = useMemo<Column<Prediction>[]>(
    () => [
      {
        id: "id",
        header: say("predictions.one"),
        value: (row) => row.id,
        cell: (row) => <Id id={row.id} what={say("predictions.one")} />,
      },
      {
        id: "at",
        header: say("predictions.at"),
        value: (row) => row.predicted_at,
        cell: (row) => <When at={row.predicted_at} />,
      },
      { id: "version", header: say("endpoints.model"), value: (row) => `${row.model}@${row.version}` },
      { id: "key", header: say("predictions.key"), value: (row) => row.key ?? "" },
      { id: "label", header: say("predictions.label"), value: (row) => row.label ?? "" },
      {
        id: "score",
        header: say("predictions.score"),
        numeric: true,
        value: (row) => row.score ?? Number.NaN,
        cell: (row) => (row.score == null ? null : <span title={String(row.score)}>{number(row.score)}</span>),
      },
      { id: "truth", header: say("predictions.truth"), value: (row) => row.truth ?? "" },
      {
        id: "took",
        header: say("predictions.took"),
        numeric: true,
        value: (row) => row.latency,
        cell: (row) => duration(row.latency),
      },
      {
        id: "row",
        header: say("predictions.row"),
        value: (row) => said(row.features),
        cell: (row) => (
          <span className="long" title={said(row.features)}>
            <span className="clamped">{said(row.features)}</span>
          </span>
        ),
      },
    ],
    [say, number, duration],
  );
  return <DataTable label={say("predictions.title")} rows={rows} columns={columns} idOf={idOf} />;
}

/** A row in one line. */
function said(features: Readonly<Record<string, unknown>>): string {
  return Object.entries(features)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

const idOf = (row: Prediction): string => row.id;
