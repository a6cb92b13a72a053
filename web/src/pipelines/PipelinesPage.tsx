import type { PipelineRun } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Empty } from "../parts/Empty";
import { Id } from "../parts/Id";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { StateBadge } from "../parts/StateBadge";
import { Took, When } from "../parts/When";
import { useTrainCommand } from "../train/command";


const idOf = (run: PipelineRun): string => run.id;
const hrefOf = (run: PipelineRun): string => `/pipelines/${run.id}`;

export function PipelinesPage() {
  const { say } = useSpeech();
  const runs = useQuery(queries.pipelineRuns());
  const train = useTrainCommand();
  const columns = useMemo<Column<PipelineRun>[]>(
    () => [
      { id: "pipeline", header: say("pipelines.pipeline"), value: (run) => run.pipeline },
      {
        id: "state",
        header: say("common.state"),
        value: (run) => run.state,
        cell: (run) => <StateBadge state={run.state} />,
      },
      {
        id: "trigger",
        header: say("pipelines.trigger"),
        value: (run) => run.trigger ?? say("pipelines.byHand"),
      },
      {
        id: "created",
        header: say("common.started"),
        value: (run) => run.created_at,
        cell: (run) => <When at={run.created_at} />,
      },
      {
        id: "took",
        header: say("common.took"),
        numeric: true,
        value: (run) => (run.ended_at == null ? 0 : Date.parse(run.ended_at) - Date.parse(run.created_at)),
        cell: (run) => <Took from={run.created_at} to={run.ended_at} />,
      },
      { id: "by", header: say("common.by"), value: (run) => run.created_by },
      { id: "id", header: say("common.id"), value: (run) => run.id, cell: (run) => <Id id={run.id} /> },
    ],
    [say],
  );
  return (
    <Page title={say("pipelines.title")} about={say("pipelines.about")}>
      <Loaded query={runs} what={say("pipelines.title")} lines={8}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty
              title={say("pipelines.empty.title")}
              about={say("pipelines.empty.about")}
              command={train}
            />
          ) : (
            <DataTable
              label={say("pipelines.title")}
              rows={rows}
              columns={columns}
              idOf={idOf}
              hrefOf={hrefOf}
              addressed
            />
          )
        }
      </Loaded>
      <ShowCode {...code.pipelines()} />
    </Page>
  );
}
