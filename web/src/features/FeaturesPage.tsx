import type { FeatureService, FeatureView, Freshness, OnDemandView } from "@athanor/client";
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
import { Parts } from "../parts/Parts";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";

interface ViewShown extends FeatureView {
  freshness: Freshness | undefined;
}

const idOf = (found: { name: string }): string => found.name;
const hrefOf = (view: FeatureView): string => `/features/${encodeURIComponent(view.name)}`;

/** Feature views: what they hold, of whom, and how fresh they are; and what is made of them. */
export function FeaturesPage() {
  const { say } = useSpeech();
  const views = useQuery(queries.featureViews());
  return (
    <Page title={say("features.title")} about={say("features.about")}>
      <Loaded query={views} what={say("features.title")}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty
              title={say("features.empty.title")}
              about={say("features.empty.about")}
              command={code.applyFeatures}
            />
          ) : (
            <Parts
              parts={[
                { id: "views", title: say("features.views"), content: <Views views={rows} /> },
                { id: "on-demand", title: say("features.onDemand"), content: <OnDemand /> },
                { id: "services", title: say("features.services"), content: <Services /> },
              ]}
            />
          )
        }
      </Loaded>
      <ShowCode {...code.features()} />
    </Page>
  );
}

function Views({ views }: { views: readonly FeatureView[] }) {
  const { say } = useSpeech();
  const freshness = useQuery(queries.featureFreshness());
  const rows = useMemo<ViewShown[]>(
    () =>
      views.map((view) => ({
        ...view,
        freshness: freshness.data?.find((told) => told.view === view.name),
      })),
    [views, freshness.data],
  );
  const columns = useMemo<Column<ViewShown>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      { id: "entities", header: say("features.entities"), value: (row) => row.entities.join(", ") },
      {
        id: "features",
        header: say("features.features"),
        value: (row) => names(row.features) || say("features.inferred"),
      },
      {
        id: "state",
        header: say("features.freshness"),
        value: (row) => row.freshness?.state ?? "",
        cell: (row) =>
          row.freshness !== undefined && (
            <span title={row.freshness.message}>
              <StateBadge state={row.freshness.state} />
            </span>
          ),
      },
      {
        id: "last",
        header: say("features.lastEvent"),
        value: (row) => row.freshness?.last_event ?? "",
        cell: (row) => row.freshness?.last_event != null && <When at={row.freshness.last_event} />,
      },
      { id: "owner", header: say("features.owner"), value: (row) => row.owner },
    ],
    [say],
  );
  return (
    <DataTable
      label={say("features.title")}
      rows={rows}
      columns={columns}
      idOf={idOf}
      hrefOf={hrefOf}
      addressed
    />
  );
}

function OnDemand() {
  const { say } = useSpeech();
  const found = useQuery(queries.onDemandViews());
  const columns = useMemo<Column<OnDemandView>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      {
        id: "inputs",
        header: say("features.inputs"),
        value: (row) => [...row.inputs, ...row.request.map((value) => value.name)].join(", "),
      },
      { id: "gives", header: say("features.gives"), value: (row) => names(row.features) },
      { id: "about", header: say("features.described"), value: (row) => row.description },
      { id: "owner", header: say("features.owner"), value: (row) => row.owner },
    ],
    [say],
  );
  return (
    <Loaded query={found} what={say("features.onDemand")}>
      {(rows) =>
        rows.length === 0 ? (
          <p>{say("features.noOnDemand")}</p>
        ) : (
          <DataTable label={say("features.onDemand")} rows={rows} columns={columns} idOf={idOf} />
        )
      }
    </Loaded>
  );
}

function Services() {
  const { say } = useSpeech();
  const found = useQuery(queries.featureServices());
  const columns = useMemo<Column<FeatureService>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      { id: "inputs", header: say("features.inputs"), value: (row) => row.features.join(", ") },
      { id: "about", header: say("features.described"), value: (row) => row.description },
      { id: "owner", header: say("features.owner"), value: (row) => row.owner },
    ],
    [say],
  );
  return (
    <Loaded query={found} what={say("features.services")}>
      {(rows) =>
        rows.length === 0 ? (
          <p>{say("features.noServices")}</p>
        ) : (
          <DataTable label={say("features.services")} rows={rows} columns={columns} idOf={idOf} />
        )
      }
    </Loaded>
  );
}

function names(fields: readonly { name: string }[]): string {
  return fields.map((field) => field.name).join(", ");
}
