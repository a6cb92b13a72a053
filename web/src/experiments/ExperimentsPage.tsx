import type { Experiment } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSearchParams } from "react-router";

import { DEFAULT_PROJECT, LISTED, queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Empty } from "../parts/Empty";
import { Id } from "../parts/Id";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { When } from "../parts/When";

const idOf = (experiment: Experiment): string => experiment.id;

export function hrefOf(experiment: Experiment): string {
  const project = experiment.project ?? DEFAULT_PROJECT;
  const query = project === DEFAULT_PROJECT ? "" : `?${new URLSearchParams({ project })}`;
  return `/experiments/${encodeURIComponent(experiment.id)}${query}`;
}

/** Runs that belong together, as their clients named them. */
export function ExperimentsPage() {
  const { say } = useSpeech();
  const project = useSearchParams()[0].get("project") ?? DEFAULT_PROJECT;
  const experiments = useQuery(queries.experiments(project));
  const columns = useMemo<Column<Experiment>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      {
        id: "updated",
        header: say("experiments.updated"),
        value: (row) => row.updated_at,
        cell: (row) => <When at={row.updated_at} />,
      },
      {
        id: "created",
        header: say("common.created"),
        value: (row) => row.created_at,
        cell: (row) => <When at={row.created_at} />,
      },
      {
        id: "tags",
        header: say("experiments.tags"),
        value: (row) =>
          Object.entries(row.tags ?? {})
            .filter(([key]) => !key.startsWith("mlflow."))
            .map(([key, value]) => `${key}: ${value}`)
            .join(", "),
      },
      { id: "id", header: say("common.id"), value: (row) => row.id, cell: (row) => <Id id={row.id} /> },
    ],
    [say],
  );
  return (
    <Page title={say("experiments.title")} about={say("experiments.about")}>
      <Loaded query={experiments} what={say("experiments.title")}>
        {({ experiments: rows }) =>
          rows.length === 0 ? (
            <Empty
              title={say("experiments.empty.title")}
              about={say("experiments.empty.about")}
              command={`export MLFLOW_TRACKING_URI=${window.location.origin}`}
            />
          ) : (
            <>
              <DataTable
                label={say("experiments.title")}
                rows={rows}
                columns={columns}
                idOf={idOf}
                hrefOf={hrefOf}
                question={project}
                addressed
                tools={<Projects asked={project} />}
              />
              {rows.length >= LISTED && <p className="none">{say("common.limited", { n: LISTED })}</p>}
            </>
          )
        }
      </Loaded>
      <ShowCode {...code.experiments()} />
    </Page>
  );
}

/** A choice among projects, where there are several with experiments. */
function Projects({ asked }: { asked: string }) {
  const { say } = useSpeech();
  const [, setAddress] = useSearchParams();
  const projects = useQuery(queries.experimentProjects()).data ?? [];
  if (projects.length < 2) return null;
  return (
    <div className="choices" role="group" aria-label={say("admin.projects")}>
      {projects.map((project) => (
        <button
          key={project}
          type="button"
          className="choice"
          aria-pressed={project === asked}
          onClick={() => setAddress({ project })}
        >
          {project}
        </button>
      ))}
    </div>
  );
}
