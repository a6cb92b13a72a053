import type { ColumnProfile, DatasetVersion } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { Distribution, type Bar } from "../charts/Distribution";
import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { Loaded } from "../parts/Loaded";

/** What a version's columns hold, and what is odd about them in plain words. */
export function ProfileOf({ version }: { version: DatasetVersion }) {
  const { say } = useSpeech();
  const profile = useQuery(queries.profile(version.dataset, version.number));
  return (
    <Loaded query={profile} what={say("data.profile")}>
      {(found) => (
        <>
          <p>{say("data.profile.about", { n: version.number })}</p>
          <Remarks messages={found.warnings.map((one) => one.message)} />
          <Columns columns={found.columns} target={found.target} />
        </>
      )}
    </Loaded>
  );
}

/** Few are shown; many wait until they are asked for. */
function Remarks({ messages }: { messages: readonly string[] }) {
  const { say } = useSpeech();
  if (messages.length === 0) return null;
  return (
    <details className="remarks" open={messages.length <= FEW}>
      <summary>{say("data.remarks", { n: messages.length })}</summary>
      <ul>
        {messages.map((message) => (
          <li key={message}>{message}</li>
        ))}
      </ul>
    </details>
  );
}

function Columns({ columns, target }: { columns: readonly ColumnShown[]; target: string }) {
  const { say, number } = useSpeech();
  const shown = useMemo<Column<ColumnShown>[]>(() => {
    // Of a moment its day; the whole of it is told on hover.
    const text = (value: string | number | null | undefined): string =>
      typeof value === "number" ? number(value) : (value ?? "").slice(0, 10);
    const figure = (
      id: string,
      header: string,
      of: (row: ColumnShown) => string | number | null | undefined,
    ): Column<ColumnShown> => ({
      id,
      header,
      numeric: true,
      value: (row) => of(row) ?? "",
      cell: (row) => <span title={String(of(row) ?? "")}>{text(of(row))}</span>,
    });
    return [
      { id: "name", header: say("data.column"), value: (row) => row.name },
      { id: "type", header: say("data.type"), value: (row) => row.type },
      figure("missing", say("data.missing"), (row) => row.missing),
      figure("distinct", say("data.distinct"), (row) => row.distinct),
      {
        id: "distribution",
        header: say("data.distribution"),
        value: (row) => row.top[0]?.value ?? "",
        cell: (row) => <Distribution of={row.name} bars={barsOf(row, number)} />,
      },
      ...(target === ""
        ? []
        : [figure("association", say("data.association"), (row) => row.association)]),
      figure("min", say("data.min"), (row) => row.minimum),
      figure("mean", say("data.mean"), (row) => row.mean),
      figure("max", say("data.max"), (row) => row.maximum),
    ];
  }, [say, number, target]);
  return (
    <DataTable
      label={say("data.profile")}
      rows={columns}
      columns={shown}
      idOf={columnName}
      immediate
      addressed
    />
  );
}

/** What the table shows of a column. */
type ColumnShown = Pick<
  ColumnProfile,
  | "name"
  | "type"
  | "missing"
  | "distinct"
  | "minimum"
  | "maximum"
  | "mean"
  | "association"
  | "histogram"
  | "top"
>;

const FEW = 10;

const columnName = (column: ColumnShown): string => column.name;

function barsOf(column: ColumnShown, number: (value: number) => string): Bar[] {
  if (column.histogram.length > 0) {
    return column.histogram.map((bin) => ({
      name: `${number(bin.low)} – ${number(bin.high)}`,
      count: bin.count,
    }));
  }
  return column.top.map((one) => ({ name: String(one.value), count: one.count }));
}
