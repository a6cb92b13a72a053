import type { RunWithData } from "@athanor/client";

/** Names to tell runs apart by: with the end of the id where two are called alike. */
export function namesOf(runs: readonly RunWithData[]): { id: string; name: string }[] {
  const seen = new Map<string, number>();
  for (const run of runs) seen.set(run.info.name, (seen.get(run.info.name) ?? 0) + 1);
  return runs.map(({ info }) => ({
    id: info.id,
    name: (seen.get(info.name) ?? 0) > 1 || info.name === "" ? `${info.name} ${info.id.slice(-6)}`.trim() : info.name,
  }));
}

export function metricOf(run: RunWithData, key: string): number | string | undefined {
  return run.metrics?.find((point) => point.key === key)?.value;
}

/** The names of all that runs told; what differs between them first. */
export function keysOf(runs: readonly RunWithData[], of: "params" | "metrics"): string[] {
  const found = new Map<string, Set<string>>();
  for (const run of runs) {
    const told: [string, unknown][] =
      of === "params" ? Object.entries(run.params ?? {}) : (run.metrics ?? []).map((point) => [point.key, point.value]);
    for (const [key, value] of told) {
      const values = found.get(key) ?? new Set();
      found.set(key, values.add(String(value)));
    }
  }
  return [...found]
    .sort(([a, left], [b, right]) => Number(right.size > 1) - Number(left.size > 1) || a.localeCompare(b))
    .map(([key]) => key);
}

/** A column's order as the search's grammar says it; "" where the server can't order by it. */
export function orderOf(sort: string): string {
  const descending = sort.startsWith("-");
  const column = descending ? sort.slice(1) : sort;
  const way = descending ? "DESC" : "ASC";
  const [, kind, key] = /^(metrics|params)\.([^`]+)$/.exec(column) ?? [];
  if (kind !== undefined) return `${kind}.\`${key}\` ${way}`;
  const attribute: Readonly<Record<string, string>> = {
    name: "run_name",
    state: "status",
    started: "start_time",
  };
  return column in attribute ? `attributes.${attribute[column]} ${way}` : "";
}
