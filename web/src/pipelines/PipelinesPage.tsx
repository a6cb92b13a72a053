import { useQuery } from "@tanstack/react-query";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { Empty } from "../parts/Empty";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { RunsTable } from "../runs/RunsTable";

const COMMAND = "athanor pipeline run classification --artifact dataset=dataset:churn@latest --wait";

export function PipelinesPage() {
  const { say } = useSpeech();
  const runs = useQuery(queries.runs({ kind: "pipeline" }));
  return (
    <Page title={say("pipelines.title")} about={say("pipelines.about")}>
      <Loaded query={runs} what={say("pipelines.title")} lines={8}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty
              title={say("pipelines.empty.title")}
              about={say("pipelines.empty.about")}
              command={COMMAND}
            />
          ) : (
            <RunsTable runs={rows} label={say("pipelines.title")} addressed />
          )
        }
      </Loaded>
      <ShowCode
        cli={COMMAND}
        python={
          'import athanor\n\nclient = athanor.connect()\nclient.pipelines.submit("classification", artifacts={"dataset": "dataset:churn@latest"})'
        }
      />
    </Page>
  );
}
