import { useQueries } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { dotsOf, drawn } from "./histories";
import { LineChart } from "./LineChart";

const SHOWN = 12;

export interface Named {
  id: string;
  name: string;
}

/** A chart for each metric that was told more than once, with a line for each run. */
export function MetricCharts({ runs, metrics }: { runs: readonly Named[]; metrics: readonly string[] }) {
  const { say } = useSpeech();
  const [all, setAll] = useState(false);
  const shown = all ? metrics : metrics.slice(0, SHOWN);
  return (
    <>
      <div className="charts">
        {shown.map((metric) => (
          <MetricChart key={metric} runs={runs} metric={metric} />
        ))}
      </div>
      {!all && metrics.length > SHOWN && (
        <button type="button" className="plain" onClick={() => setAll(true)}>
          {say("chart.all", { n: metrics.length })}
        </button>
      )}
    </>
  );
}

function MetricChart({ runs, metric }: { runs: readonly Named[]; metric: string }) {
  const histories = useQueries({ queries: runs.map((run) => queries.history(run.id, metric)) });
  const points = histories.map((history) => history.data);
  const series = useMemo(
    () => runs.map((run, at) => ({ id: run.id, name: run.name, dots: dotsOf(points[at] ?? []) })),
    // The answers themselves are kept as long as they are the same.
    [runs, ...points],
  );
  return drawn(series) ? <LineChart title={metric} series={series} /> : null;
}
