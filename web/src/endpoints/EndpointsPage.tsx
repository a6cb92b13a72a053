import type { Endpoint } from "@athanor/client";
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
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";
import { stateOf } from "./state";
import { TrafficBar } from "./TrafficBar";


const idOf = (endpoint: Endpoint): string => endpoint.name;
const hrefOf = (endpoint: Endpoint): string => `/endpoints/${encodeURIComponent(endpoint.name)}`;

export function EndpointsPage() {
  const { say } = useSpeech();
  const endpoints = useQuery(queries.endpoints());
  const columns = useMemo<Column<Endpoint>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      {
        id: "state",
        header: say("common.state"),
        value: stateOf,
        cell: (row) => <StateBadge state={stateOf(row)} />,
      },
      {
        id: "traffic",
        header: say("endpoints.traffic"),
        value: (row) => (row.deployments ?? []).map((one) => `${one.model}@${one.version}`).join(" "),
        cell: (row) => <TrafficBar deployments={row.deployments ?? []} />,
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
    <Page title={say("endpoints.title")} about={say("endpoints.about")}>
      <Loaded query={endpoints} what={say("endpoints.title")}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty
              title={say("endpoints.empty.title")}
              about={say("endpoints.empty.about")}
              command={code.deploy}
            />
          ) : (
            <DataTable
              label={say("endpoints.title")}
              rows={rows}
              columns={columns}
              idOf={idOf}
              hrefOf={hrefOf}
              addressed
            />
          )
        }
      </Loaded>
      <ShowCode {...code.endpoints()} />
    </Page>
  );
}
