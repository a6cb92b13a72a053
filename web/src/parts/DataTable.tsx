import { TextInput } from "@mantine/core";
import {
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  useTable,
  type ColumnDef,
  type SortingState,
} from "@tanstack/react-table";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Link, useSearchParams } from "react-router";

import { useSpeech } from "../i18n/language";
import { Icon } from "./Icon";
import { useHeld } from "./held";
import type { Selection } from "./Selection";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

export interface Column<Row> {
  id: string;
  header: string;
  /** What is sorted and filtered by. */
  value: (row: Row) => string | number;
  /** What is shown; the value where left out. */
  cell?: (row: Row) => ReactNode;
  numeric?: boolean;
}

export interface DataTableProps<Row> {
  /** Names the table for screen readers. */
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  idOf: (row: Row) => string;
  /** Where a row leads; its first cell becomes the link. */
  hrefOf?: (row: Row) => string;
  /** What the rows answer (state, kind ...); another question shows all of its rows at once. */
  question?: string;
  /** Rows show as they come: for short lists beside other things. */
  immediate?: boolean;
  /** With a filter field, and filter and order in the address. */
  addressed?: boolean;
  /** Before the filter: other choices. */
  tools?: ReactNode;
  /** The order is in the address, and the rows come in it; no filter over what is shown. */
  ordered?: boolean;
  /** Rows may be ticked. */
  selection?: Selection;
  /** What a row is called where its box is read out. */
  nameOf?: (row: Row) => string;
}

/** A dense table: order by a click on a header, arrows move, enter opens, "/" filters. */
export function DataTable<Row extends object>(props: DataTableProps<Row>) {
  const { rows, columns, idOf, question = "", addressed = false, immediate = false } = props;
  const sortable = addressed || props.ordered === true;
  const { say } = useSpeech();
  const [address, setAddress] = useSearchParams();
  const filter = addressed ? (address.get("q") ?? "") : "";
  const sorting = useMemo(
    () => (sortable ? readSorting(address.get("sort")) : []),
    [sortable, address],
  );
  const held = useHeld(rows, idOf, question);
  const offered = immediate ? rows : held.shown;
  const matching = useMemo(() => filterRows(offered, columns, filter), [offered, columns, filter]);

  const change = (name: string, value: string): void => {
    setAddress(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === "") after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true },
    );
  };

  return (
    <div className="table-part">
      {(addressed || props.tools !== undefined) && (
        <div className="table-tools">
          {props.tools}
          {addressed && <Filter value={filter} onChange={(value) => change("q", value)} />}
        </div>
      )}
      {!immediate && held.waiting > 0 && (
        <button type="button" className="arrivals" onClick={held.show}>
          <Icon name="up" size={14} />
          {say("common.new", { n: held.waiting })}
        </button>
      )}
      {matching.length === 0 && filter !== "" ? (
        <p className="none">
          {say("common.noMatch")}{" "}
          <button type="button" className="plain" onClick={() => change("q", "")}>
            {say("common.clearFilter")}
          </button>
        </p>
      ) : (
        <Grid
          {...props}
          rows={matching}
          sorting={sorting}
          onSort={sortable ? (next) => change("sort", writeSorting(next)) : null}
        />
      )}
    </div>
  );
}

function Grid<Row extends object>({
  label,
  rows,
  columns,
  idOf,
  hrefOf,
  sorting,
  onSort,
  selection,
  nameOf = idOf,
}: DataTableProps<Row> & { sorting: SortingState; onSort: ((next: SortingState) => void) | null }) {
  const { say } = useSpeech();
  const definitions = useMemo<ColumnDef<typeof features, Row>[]>(
    () =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: column.value,
        sortFn: column.numeric === true ? "basic" : "alphanumeric",
        sortDescFirst: column.numeric === true,
      })),
    [columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows,
    getRowId: idOf,
    enableSorting: onSort !== null,
    state: { sorting },
    onSortingChange: (update) => onSort?.(typeof update === "function" ? update(sorting) : update),
  });
  return (
    <div className="table-scroll">
      <table aria-label={label}>
        <thead>
          <tr>
            {selection !== undefined && (
              <td className="tick">
                <span className="unseen">{say("common.choose")}</span>
              </td>
            )}
            {columns.map((column) => {
              const order = table.getColumn(column.id)?.getIsSorted() ?? false;
              return (
                <th
                  key={column.id}
                  scope="col"
                  className={column.numeric === true ? "numeric" : undefined}
                  aria-sort={order === "asc" ? "ascending" : order === "desc" ? "descending" : undefined}
                >
                  {onSort === null ? (
                    column.header
                  ) : (
                    <button type="button" onClick={() => table.getColumn(column.id)?.toggleSorting()}>
                      {column.header}
                      {order !== false && <Icon name={order === "asc" ? "up" : "down"} size={12} />}
                    </button>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody onKeyDown={moveBetweenRows}>
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id} data-row={row.id}>
              {selection !== undefined && (
                <td className="tick">
                  <input
                    type="checkbox"
                    aria-label={say("common.chooseOne", { name: nameOf(row.original) })}
                    checked={selection.chosen.has(row.id)}
                    onChange={() => selection.toggle(row.id)}
                  />
                </td>
              )}
              {columns.map((column, at) => {
                const shown =
                  column.cell === undefined ? column.value(row.original) : column.cell(row.original);
                return (
                  <td key={column.id} className={column.numeric === true ? "numeric" : undefined}>
                    {at === 0 && hrefOf !== undefined ? (
                      <Link className="row-link" to={hrefOf(row.original)}>
                        {shown}
                      </Link>
                    ) : (
                      shown
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The field has its own text: the address follows later, and a fast typist would lose letters. */
function Filter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { say } = useSpeech();
  const [text, setText] = useState(value);
  const sent = useRef<string[]>([]);
  useEffect(() => {
    const echo = sent.current.lastIndexOf(value);
    if (echo < 0) setText(value);
    else sent.current.splice(0, echo + 1);
  }, [value]);
  const type = (typed: string): void => {
    setText(typed);
    sent.current.push(typed);
    onChange(typed);
  };
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea");
      if (event.key !== "/" || typing) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, []);
  return (
    <TextInput
      ref={field}
      size="sm"
      className="table-filter"
      aria-label={say("common.filter")}
      placeholder={say("common.filter")}
      value={text}
      onChange={(event) => type(event.currentTarget.value)}
      onKeyDown={(event) => event.key === "Escape" && type("")}
    />
  );
}

/** Arrows, Home and End walk over the rows' links; Enter opens the one that has the focus. */
function moveBetweenRows(event: KeyboardEvent<HTMLElement>): void {
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("a.row-link")];
  const row = (event.target as HTMLElement).closest("tr");
  const at = links.findIndex((link) => row?.contains(link) === true);
  if (at < 0) return;
  const target: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: links.length - 1,
  };
  const next = links[target[event.key] ?? -1];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

function filterRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], filter: string): Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...rows];
  return rows.filter((row) => {
    const text = columns.map((column) => String(column.value(row)).toLowerCase()).join(" ");
    return words.every((word) => text.includes(word));
  });
}

/** "name" or "-started": the column, and whether from the greatest. */
export function readSorting(text: string | null): SortingState {
  if (text === null || text === "") return [];
  return text.startsWith("-") ? [{ id: text.slice(1), desc: true }] : [{ id: text, desc: false }];
}

function writeSorting(sorting: SortingState): string {
  const first = sorting[0];
  return first === undefined ? "" : `${first.desc ? "-" : ""}${first.id}`;
}
