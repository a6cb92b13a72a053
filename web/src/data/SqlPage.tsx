import type { QueryResult } from "@athanor/client";
import { Button, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useSearchParams } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Failure } from "../parts/Failure";
import { Page } from "../parts/Page";

interface Row {
  place: number;
  cells: readonly unknown[];
}

/** One SELECT over datasets, features, runs, models and predictions; it stands in the address. */
export function SqlPage() {
  const { say } = useSpeech();
  const [address, setAddress] = useSearchParams();
  const asked = address.get("sql") ?? "";
  const [text, setText] = useState(asked);
  const answer = useQuery(queries.sql(asked));
  const ask = (): void => {
    if (text === asked) void answer.refetch();
    else setAddress({ sql: text });
  };
  return (
    <Page title={say("room.sql")} about={say("sql.about")}>
      <form
        className="question"
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <Textarea
          label={say("sql.query")}
          description={say("sql.query.about")}
          classNames={{ input: "mono" }}
          autosize
          minRows={3}
          maxRows={16}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask();
          }}
        />
        <div className="choices">
          <Button type="submit" loading={answer.isFetching} disabled={text.trim() === ""}>
            {say("sql.run")}
          </Button>
        </div>
      </form>
      {answer.error !== null && <Failure what={say("sql.query")} error={answer.error} />}
      {answer.data !== undefined && answer.error === null && <Answer found={answer.data} />}
      <Tables onChoose={(name) => setText(`select * from ${quoted(name)} limit 100`)} />
      <ShowCode {...code.sqlOf(asked === "" ? "select 1" : asked)} />
    </Page>
  );
}

function Answer({ found }: { found: QueryResult }) {
  const { say, duration } = useSpeech();
  const rows = useMemo<Row[]>(() => found.rows.map((cells, place) => ({ place, cells })), [found]);
  const columns = useMemo<Column<Row>[]>(
    () =>
      found.columns.map((name, at) => ({
        id: `${at} ${name}`,
        header: name,
        numeric: NUMERIC.test(found.types[at] ?? ""),
        value: (row) => sortable(row.cells[at]),
        cell: (row) => shown(row.cells[at]),
      })),
    [found],
  );
  return (
    <section aria-labelledby="answer">
      <h2 id="answer">{say("sql.answer")}</h2>
      <p>
        {say("sql.rows", { n: rows.length })}, {duration(found.seconds)}
        {found.truncated && ` · ${say("sql.truncated")}`}
      </p>
      <DataTable label={say("sql.answer")} rows={rows} columns={columns} idOf={placeOf} immediate />
    </section>
  );
}

/** What may be asked; a click begins a question. */
function Tables({ onChoose }: { onChoose: (name: string) => void }) {
  const { say } = useSpeech();
  const tables = useQuery(queries.sqlTables()).data ?? [];
  return (
    <section aria-labelledby="tables">
      <h2 id="tables">{say("sql.tables")}</h2>
      <ul className="offered">
        {tables.map((table) => (
          <li key={table.name}>
            <button type="button" onClick={() => onChoose(table.name)}>
              {table.name}
            </button>
            <span className="long">{table.description}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const NUMERIC = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL)/;

function sortable(value: unknown): string | number {
  return typeof value === "number" ? value : shown(value);
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function quoted(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const placeOf = (row: Row): string => String(row.place);
