import type { Model } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Empty } from "../parts/Empty";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { When } from "../parts/When";
import { useTrainCommand } from "../train/command";
import { Aliases } from "./Aliases";

const idOf = (model: Model): string => model.name;
const hrefOf = (model: Model): string => `/models/${encodeURIComponent(model.name)}`;

export function ModelsPage() {
  const { say } = useSpeech();
  const models = useQuery(queries.models());
  const train = useTrainCommand();
  const columns = useMemo<Column<Model>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      {
        id: "latest",
        header: say("models.latest"),
        numeric: true,
        value: (row) => row.latest,
      },
      {
        id: "aliases",
        header: say("models.aliases"),
        value: (row) => Object.keys(row.aliases ?? {}).join(" "),
        cell: (row) => <Aliases aliases={row.aliases ?? {}} />,
      },
      {
        id: "created",
        header: say("common.created"),
        value: (row) => row.created_at,
        cell: (row) => <When at={row.created_at} />,
      },
    ],
    [say],
  );
  return (
    <Page title={say("models.title")} about={say("models.about")}>
      <Loaded query={models} what={say("models.title")}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty
              title={say("models.empty.title")}
              about={say("models.empty.about")}
              command={train}
            />
          ) : (
            <DataTable
              label={say("models.title")}
              rows={rows}
              columns={columns}
              idOf={idOf}
              hrefOf={hrefOf}
              addressed
            />
          )
        }
      </Loaded>
      <ShowCode {...code.models()} />
    </Page>
  );
}
