import type { Dataset } from "@athanor/client";
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
import { Adding } from "./Adding";

const idOf = (dataset: Dataset): string => dataset.name;
const hrefOf = (dataset: Dataset): string => `/data/${encodeURIComponent(dataset.name)}`;

export function DatasetsPage() {
  const { say, number } = useSpeech();
  const datasets = useQuery(queries.datasets());
  const columns = useMemo<Column<Dataset>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      {
        id: "latest",
        header: say("data.latest"),
        numeric: true,
        value: (row) => row.latest ?? 0,
        cell: (row) => row.latest ?? say("data.none"),
      },
      {
        id: "rows",
        header: say("unit.rows"),
        numeric: true,
        value: (row) => row.rows ?? 0,
        cell: (row) => (row.rows == null ? null : number(row.rows)),
      },
      { id: "versions", header: say("data.versions"), numeric: true, value: (row) => row.versions },
      { id: "target", header: say("data.target"), value: (row) => row.roles.target },
      {
        id: "created",
        header: say("common.created"),
        value: (row) => row.created_at,
        cell: (row) => <When at={row.created_at} />,
      },
    ],
    [say, number],
  );
  return (
    <Page title={say("data.title")} about={say("data.about")} action={<Adding />}>
      <Loaded query={datasets} what={say("data.title")}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={say("data.empty.title")} about={say("data.empty.about")} command={code.addData} />
          ) : (
            <DataTable
              label={say("data.title")}
              rows={rows}
              columns={columns}
              idOf={idOf}
              hrefOf={hrefOf}
              addressed
            />
          )
        }
      </Loaded>
      <ShowCode {...code.datasets()} />
    </Page>
  );
}
