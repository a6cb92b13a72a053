import type { RunWithData } from "@athanor/client";
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "react-router";

import { queries } from "../api/queries";
import { MetricCharts } from "../charts/MetricCharts";
import { colour } from "../charts/scale";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";
import { keysOf, metricOf, namesOf } from "./runsOf";

const MOST = 20;

/** Runs side by side: what they were given, what they measured, and how they got there. */
export function ComparePage() {
  const { say } = useSpeech();
  const asked = useSearchParams()[0].getAll("run");
  const ids = [...new Set(asked)].slice(0, MOST);
  const found = useQueries({ queries: ids.map((id) => queries.trackedRun(id)) });
  const missing = found.find((query) => query.data === undefined);
  const runs = found.flatMap((query) => (query.data === undefined ? [] : [query.data]));
  return (
    <Page title={say("compare.title", { n: ids.length })} about={say("compare.about")}>
      {ids.length === 0 && <p className="none">{say("experiments.choose")}</p>}
      {missing !== undefined ? (
        <Loaded query={missing} what={say("runs.title")}>
          {() => null}
        </Loaded>
      ) : (
        runs.length > 0 && <SideBySide runs={runs} />
      )}
      {ids.length > 0 && <ShowCode {...code.compare(ids)} />}
    </Page>
  );
}

function SideBySide({ runs }: { runs: readonly RunWithData[] }) {
  const { say } = useSpeech();
  const key = runs.map((run) => run.info.id + run.info.name).join();
  const named = useMemo(() => namesOf(runs), [key]);
  const metrics = keysOf(runs, "metrics");
  return (
    <>
      <section aria-labelledby="charts">
        <h2 id="charts">{say("compare.charts")}</h2>
        <MetricCharts runs={named} metrics={metrics} />
        {metrics.length === 0 && <p className="none">{say("compare.noMetrics")}</p>}
      </section>
      <Differences runs={runs} names={named.map((one) => one.name)} />
    </>
  );
}

interface Line {
  key: string;
  values: (string | number | undefined)[];
}

function Differences({ runs, names }: { runs: readonly RunWithData[]; names: readonly string[] }) {
  const { say } = useSpeech();
  const [address, setAddress] = useSearchParams();
  const all = address.has("all");
  const change = (): void => {
    setAddress(
      (before) => {
        const after = new URLSearchParams(before);
        if (all) after.delete("all");
        else after.set("all", "1");
        return after;
      },
      { replace: true },
    );
  };
  const lines = (of: "params" | "metrics"): Line[] =>
    keysOf(runs, of)
      .map((key) => ({
        key,
        values: runs.map((run) => (of === "params" ? run.params?.[key] : metricOf(run, key))),
      }))
      .filter((line) => all || new Set(line.values.map(String)).size > 1 || runs.length === 1);
  return (
    <section aria-labelledby="side-by-side">
      <div className="section-head">
        <h2 id="side-by-side">{say("compare.table")}</h2>
        <label>
          <input type="checkbox" checked={!all} onChange={change} /> {say("compare.differing")}
        </label>
      </div>
      <div className="table-scroll" tabIndex={0} role="group" aria-label={say("compare.table")}>
        <table aria-label={say("compare.table")} className="side-by-side">
          <thead>
            <tr>
              <td />
              {runs.map((run, at) => (
                <th key={run.info.id} scope="col">
                  <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
                    <circle cx="5" cy="5" r="5" fill={colour(at)} />
                  </svg>{" "}
                  <Link to={`/runs/${run.info.id}`}>{names[at]}</Link>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{say("common.state")}</th>
              {runs.map((run) => (
                <td key={run.info.id}>
                  <StateBadge state={run.info.state} />
                </td>
              ))}
            </tr>
            <tr>
              <th scope="row">{say("common.started")}</th>
              {runs.map((run) => (
                <td key={run.info.id}>
                  <When at={run.info.started_at} />
                </td>
              ))}
            </tr>
            <Group title={say("compare.metrics")} lines={lines("metrics")} width={runs.length} />
            <Group title={say("compare.params")} lines={lines("params")} width={runs.length} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Group({ title, lines, width }: { title: string; lines: readonly Line[]; width: number }) {
  const { number } = useSpeech();
  if (lines.length === 0) return null;
  return (
    <>
      <tr className="group">
        <th scope="rowgroup" colSpan={width + 1}>
          {title}
        </th>
      </tr>
      {lines.map((line) => (
        <tr key={line.key} className={new Set(line.values.map(String)).size > 1 ? "differs" : undefined}>
          <th scope="row">{line.key}</th>
          {line.values.map((value, at) => (
            <td key={at} title={value === undefined ? undefined : String(value)}>
              {typeof value === "number" ? number(value) : (value ?? "–")}
            </td>
          ))}
        </tr>
      ))}
    </>
  );
}
