import type { PipelineRun } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useParams } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Facts } from "../parts/Facts";
import { Id } from "../parts/Id";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page, type Figure } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { StateBadge } from "../parts/StateBadge";
import { Took, useSeconds, When } from "../parts/When";

type Task = NonNullable<PipelineRun["tasks"]>[number];

const ENDED = new Set(["done", "failed", "cached", "skipped", "stopped"]);

/** One run of a pipeline: how far it is, each task with its reason, what it read and made. */
export function PipelinePage() {
  const { say } = useSpeech();
  const { id = "" } = useParams();
  const run = useQuery(queries.pipelineRun(id));
  return (
    <Loaded query={run} what={say("pipelines.title")}>
      {(found) => <OnePipelineRun run={found} />}
    </Loaded>
  );
}

function OnePipelineRun({ run }: { run: PipelineRun }) {
  const { say, duration } = useSpeech();
  const seconds = useSeconds(run.created_at, run.ended_at) ?? 0;
  const tasks = inOrder(run.tasks ?? []);
  const counts = Object.entries(run.counts ?? {});
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const ended = counts.reduce((sum, [state, count]) => sum + (ENDED.has(state) ? count : 0), 0);
  const took = duration(seconds);
  const line = say(`runs.say.${run.state}`, { took, when: took });
  const figures: Figure[] = [
    { label: say("pipelines.tasks"), value: say("pipelines.progress", { done: ended, all }) },
    { label: say("common.started"), value: <When at={run.created_at} /> },
    { label: say("common.took"), value: took, full: `${seconds} s` },
    { label: say("pipelines.trigger"), value: run.trigger ?? say("pipelines.byHand") },
  ];
  return (
    <Page
      title={run.pipeline}
      state={run.state}
      about={[line, messageOf(run.error)].join(" ").trim()}
      figures={figures}
    >
      <Parts
        parts={[
          { id: "tasks", title: say("pipelines.tasks"), content: <Tasks tasks={tasks} /> },
          { id: "inputs", title: say("pipelines.inputs"), content: <Inputs run={run} /> },
        ]}
      />
      <LineageStrip id={run.id} name={run.pipeline} />
      <ShowCode {...code.pipeline(run.id)} />
    </Page>
  );
}

function Tasks({ tasks }: { tasks: readonly Task[] }) {
  const { say } = useSpeech();
  const columns = useMemo<Column<Task>[]>(
    () => [
      {
        id: "name",
        header: say("pipelines.task"),
        value: (task) => task.name,
        // The groups that it stands in are told on hover.
        cell: (task) => <span title={task.name}>{task.name.split("/").at(-1)}</span>,
      },
      {
        id: "state",
        header: say("common.state"),
        value: (task) => task.state,
        cell: (task) => <StateBadge state={task.state} />,
      },
      {
        id: "started",
        header: say("common.started"),
        value: (task) => task.started_at ?? "",
        cell: (task) => task.started_at != null && <When at={task.started_at} />,
      },
      {
        id: "took",
        header: say("common.took"),
        numeric: true,
        value: (task) => task.resources?.["wall_seconds"] ?? 0,
        cell: (task) => <Took from={task.started_at} to={task.ended_at} />,
      },
      {
        id: "why",
        header: say("pipelines.why"),
        value: (task) => task.reason || messageOf(task.error),
        cell: (task) => <span className="long">{task.reason || messageOf(task.error)}</span>,
      },
    ],
    [say],
  );
  return (
    <DataTable
      label={say("pipelines.tasks")}
      rows={tasks}
      columns={columns}
      idOf={taskId}
      hrefOf={taskHref}
      immediate
    />
  );
}

function Inputs({ run }: { run: PipelineRun }) {
  const { say } = useSpeech();
  return (
    <Facts
      facts={[
        [say("common.id"), <Id key="id" id={run.id} />],
        ...Object.entries(run.artifacts ?? {}).map(
          ([name, artifact]) => [name, <Id key={name} id={artifact} />] as const,
        ),
        ...Object.entries(run.parameters ?? {}).map(
          ([name, value]) => [name, <code key={name}>{JSON.stringify(value)}</code>] as const,
        ),
      ]}
    />
  );
}

/** As they began; those that wait come last. Groups of tasks are left to their tasks. */
function inOrder(tasks: readonly Task[]): Task[] {
  return tasks
    .filter((task) => task.kind !== "dag" || task.state === "skipped")
    .sort((left, right) => (left.started_at ?? "9").localeCompare(right.started_at ?? "9"));
}

const taskId = (task: Task): string => task.id;
const taskHref = (task: Task): string => `/runs/${task.id}`;

function messageOf(error: Record<string, unknown> | null | undefined): string {
  const message = error?.["message"];
  return typeof message === "string" ? message : "";
}
