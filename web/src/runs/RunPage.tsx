import type { Run } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { Facts } from "../parts/Facts";
import { Id } from "../parts/Id";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page, type Figure } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { useSeconds, When } from "../parts/When";
import { Files } from "./Files";
import { RunsTable } from "./RunsTable";
import { Told } from "./Told";

/** One run: how it went, its tasks, what it read and made. */
export function RunPage() {
  const { say } = useSpeech();
  const { id = "" } = useParams();
  const run = useQuery(queries.run(id));
  return (
    <Loaded query={run} what={say("runs.title")}>
      {(found) => <OneRun run={found} />}
    </Loaded>
  );
}

function OneRun({ run }: { run: Run }) {
  const { say } = useSpeech();
  // Who logged metrics wants to see these, and who ran tasks those.
  const told = useQuery(queries.metrics(run.id)).data ?? [];
  const tasks = useQuery(queries.runs({ parent: run.id })).data ?? [];
  const folder = useFolder(run, run.kind === "mlflow" || told.length > 0);
  const figures = useFigures(run);
  const logged = told.length > 0 || (folder !== null && tasks.length === 0);
  return (
    <Page title={run.name} state={run.state} about={<About run={run} />} figures={figures}>
      <LineageStrip id={run.id} name={run.name} />
      <Parts
        first={logged ? "told" : "tasks"}
        parts={[
          // A run of an MLflow client has no tasks, as a rule.
          ...(folder !== null && tasks.length === 0
            ? []
            : [{ id: "tasks", title: say("runs.tasks"), content: <Tasks run={run} /> }]),
          { id: "told", title: say("runs.told"), content: <Told run={run} /> },
          ...(folder === null
            ? []
            : [{ id: "files", title: say("runs.files"), content: <Files folder={folder} project={run.project} /> }]),
          { id: "details", title: say("runs.details"), content: <Details run={run} /> },
        ]}
      />
      <ShowCode {...code.run(run.id)} />
    </Page>
  );
}

/** The folder of the server's own store in which a tracked run keeps its files. */
function useFolder(run: Run, tracked: boolean): string | null {
  const known = useQuery({ ...queries.trackedRun(run.id), enabled: tracked });
  const found = known.data?.info.artifact_uri.match(/^mlflow-artifacts:\/+(?:[^/]*:\d+\/)?(.+)$/);
  return found?.[1] ?? null;
}

function About({ run }: { run: Run }) {
  const { say, duration } = useSpeech();
  const seconds = useSeconds(run.started_at, run.ended_at ?? null) ?? 0;
  const message = run.error?.["message"];
  if (run.state === "skipped") return say("runs.say.skipped");
  const line = say(`runs.say.${run.state}`, { took: duration(seconds), when: duration(seconds) });
  return typeof message === "string" ? `${line} ${message}` : line;
}

function useFigures(run: Run): Figure[] {
  const { say, duration, bytes, number } = useSpeech();
  const seconds = useSeconds(run.started_at, run.ended_at ?? null);
  const figures: Figure[] = [{ label: say("common.started"), value: <When at={run.started_at} /> }];
  if (seconds !== null && run.state !== "waiting") {
    figures.push({ label: say("common.took"), value: duration(seconds), full: `${seconds} s` });
  }
  const cpu = run.resources?.["cpu_seconds"];
  if (cpu !== undefined) figures.push({ label: say("runs.cpu"), value: duration(cpu), full: `${cpu} s` });
  const memory = run.resources?.["max_rss_bytes"];
  if (memory !== undefined) {
    figures.push({ label: say("runs.memory"), value: bytes(memory), full: `${memory} B` });
  }
  if (run.cost != null) figures.push({ label: say("runs.cost"), value: number(run.cost) });
  return figures;
}

function Tasks({ run }: { run: Run }) {
  const { say } = useSpeech();
  const tasks = useQuery(queries.runs({ parent: run.id }));
  return (
    <Loaded query={tasks} what={say("runs.tasks")}>
      {(rows) =>
        rows.length === 0 ? (
          <p className="none">{say("runs.tasks.none")}</p>
        ) : (
          <RunsTable runs={[...rows].reverse()} label={say("runs.tasks")} immediate />
        )
      }
    </Loaded>
  );
}

function Details({ run }: { run: Run }) {
  const { say } = useSpeech();
  return (
    <>
      <Facts
        facts={[
          [say("common.id"), <Id key="id" id={run.id} />],
          [say("common.kind"), run.kind],
          [say("common.by"), run.created_by],
          ...(run.parent == null
            ? []
            : [[say("runs.parent"), <Link key="parent" to={`/runs/${run.parent}`}>{run.parent}</Link>] as const]),
        ]}
      />
      <Recorded title={say("runs.labels")} record={run.labels} />
      <Recorded title={say("runs.code")} record={run.code} />
      <Recorded title={say("runs.environment")} record={run.environment} />
    </>
  );
}

function Recorded({ title, record }: { title: string; record: Record<string, unknown> | undefined }) {
  const entries = Object.entries(record ?? {});
  if (entries.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <Facts
        facts={entries.map(([name, value]) => [
          name,
          typeof value === "string" ? value : <code key={name}>{JSON.stringify(value)}</code>,
        ])}
      />
    </section>
  );
}
