import type { Run } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { MetricCharts } from "../charts/MetricCharts";
import { useSpeech } from "../i18n/language";
import { Facts } from "../parts/Facts";
import { Loaded } from "../parts/Loaded";

const REFRESH_MS = 5000;

/** What a run told: its metrics with their curves, its parameters, and what is wrong with its training. */
export function Told({ run }: { run: Run }) {
  const { say, number } = useSpeech();
  const live = { refetchInterval: run.state === "running" ? REFRESH_MS : (false as const) };
  const metrics = useQuery({ ...queries.metrics(run.id), ...live });
  const params = useQuery({ ...queries.params(run.id), ...live });
  const named = useMemo(() => [{ id: run.id, name: run.name }], [run.id, run.name]);
  return (
    <>
      <Hints run={run.id} />
      <Loaded query={metrics} what={say("compare.metrics")}>
        {(found) => (
          <section aria-labelledby="metrics">
            <h2 id="metrics">{say("compare.metrics")}</h2>
            {found.length === 0 && <p className="none">{say("runs.told.none")}</p>}
            <MetricCharts runs={named} metrics={found.filter((point) => point.step !== 0).map((point) => point.key)} />
            <Facts
              facts={found.map((point) => [
                point.key,
                <span key={point.key} className="number" title={String(point.value)}>
                  {typeof point.value === "number" ? number(point.value) : point.value}
                </span>,
              ])}
            />
          </section>
        )}
      </Loaded>
      <Loaded query={params} what={say("compare.params")}>
        {(found) =>
          found.length === 0 ? null : (
            <section aria-labelledby="params">
              <h2 id="params">{say("compare.params")}</h2>
              <Facts facts={found.map((param) => [param.key, param.value])} />
            </section>
          )
        }
      </Loaded>
    </>
  );
}

/** What the rules noticed about the training, with what to do. */
function Hints({ run }: { run: string }) {
  const { say } = useSpeech();
  const hints = useQuery(queries.hints(run)).data?.hints ?? [];
  if (hints.length === 0) return null;
  return (
    <section aria-labelledby="hints" className="hints">
      <h2 id="hints">{say("runs.hints")}</h2>
      <ul>
        {hints.map((hint) => (
          <li key={`${hint.rule} ${hint.metric}`} className="failure">
            <p>{hint.message}</p>
            <p className="hint">{hint.advice}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
