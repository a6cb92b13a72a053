import type { FeatureView, Field, ViewVersion } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useParams } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Id } from "../parts/Id";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page, type Figure } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";

type Stored = Omit<ViewVersion, "bounds">;

/** One feature view: its columns, how fresh its newest rows are, and all of its versions. */
export function FeatureViewPage() {
  const { say } = useSpeech();
  const { name = "" } = useParams();
  const view = useQuery(queries.featureView(name));
  const versions = useQuery(queries.featureVersions(name));
  return (
    <Loaded query={view} what={name}>
      {(found) => (
        <Loaded query={versions} what={say("data.versions")}>
          {(rows) => <OneView view={found} versions={rows.toSorted((a, b) => b.number - a.number)} />}
        </Loaded>
      )}
    </Loaded>
  );
}

function OneView({ view, versions }: { view: FeatureView; versions: readonly Stored[] }) {
  const { say, number } = useSpeech();
  const freshness = useQuery(queries.featureFreshness());
  const told = freshness.data?.find((each) => each.view === view.name);
  const newest = versions.find((version) => version.state === "ready");
  const figures: Figure[] = [{ label: say("features.entities"), value: view.entities.join(", ") }];
  if (newest !== undefined) {
    figures.push(
      { label: say("unit.rows"), value: number(newest.rows) },
      { label: say("features.keys"), value: number(newest.keys) },
    );
    if (newest.last_event != null) {
      figures.push({ label: say("features.lastEvent"), value: <When at={newest.last_event} /> });
    }
  }
  if (view.owner !== "") figures.push({ label: say("features.owner"), value: view.owner });
  return (
    <Page
      title={view.name}
      about={[view.description.replace(/[^.!?]$/, "$&."), told?.message].filter(Boolean).join(" ")}
      figures={figures}
      {...(told === undefined ? {} : { state: told.state })}
    >
      {newest === undefined ? (
        <p>{say("features.notBuilt")}</p>
      ) : (
        <LineageStrip id={newest.artifact_id} name={`${view.name}@${newest.number}`} />
      )}
      <Parts
        parts={[
          {
            id: "columns",
            title: say("features.features"),
            content: <Fields view={view} stored={newest?.fields ?? []} />,
          },
          { id: "versions", title: say("data.versions"), content: <Versions versions={versions} /> },
        ]}
      />
      <ShowCode {...code.featureView(view.name)} />
    </Page>
  );
}

/** What the view defines, with the types of its stored rows; all of these where it names none. */
function Fields({ view, stored }: { view: FeatureView; stored: readonly Field[] }) {
  const { say } = useSpeech();
  const rows = useMemo(() => {
    const types = new Map(stored.map((field) => [field.name, field.type]));
    const defined = view.features.map((field) => ({ ...field, type: types.get(field.name) ?? field.type }));
    return defined.length === 0 ? stored : defined;
  }, [view, stored]);
  const columns = useMemo<Column<Field>[]>(
    () => [
      { id: "name", header: say("common.name"), value: (row) => row.name },
      { id: "type", header: say("features.type"), value: (row) => row.type },
      { id: "about", header: say("features.described"), value: (row) => row.description },
    ],
    [say],
  );
  return <DataTable label={say("features.features")} rows={rows} columns={columns} idOf={fieldName} />;
}

function Versions({ versions }: { versions: readonly Stored[] }) {
  const { say, number } = useSpeech();
  const columns = useMemo<Column<Stored>[]>(
    () => [
      { id: "number", header: say("common.version"), value: (row) => row.number },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => row.state,
        cell: (row) => <StateBadge state={row.state} />,
      },
      {
        id: "rows",
        header: say("unit.rows"),
        numeric: true,
        value: (row) => row.rows,
        cell: (row) => number(row.rows),
      },
      {
        id: "keys",
        header: say("features.keys"),
        numeric: true,
        value: (row) => row.keys,
        cell: (row) => number(row.keys),
      },
      {
        id: "digest",
        header: say("common.digest"),
        value: (row) => row.digest,
        cell: (row) => <Id id={row.digest} what={say("common.digest")} />,
      },
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
    <DataTable label={say("data.versions")} rows={versions} columns={columns} idOf={versionNumber} immediate />
  );
}

const fieldName = (field: Field): string => field.name;
const versionNumber = (version: Stored): string => String(version.number);
