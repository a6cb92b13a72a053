import type { CheckResult, Dataset, DatasetVersion } from "@athanor/client";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useParams } from "react-router";

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
import { Adding } from "./Adding";
import { ProfileOf } from "./ProfileOf";

/** One dataset: its newest version, what its columns hold, its checks, all versions. */
export function DatasetPage() {
  const { say } = useSpeech();
  const { name = "" } = useParams();
  const dataset = useQuery(queries.dataset(name));
  const versions = useQuery(queries.datasetVersions(name));
  return (
    <Loaded query={dataset} what={name}>
      {(found) => (
        <Loaded query={versions} what={say("data.versions")}>
          {(rows) => <OneDataset dataset={found} versions={newestFirst(rows)} />}
        </Loaded>
      )}
    </Loaded>
  );
}

function OneDataset({ dataset, versions }: { dataset: Dataset; versions: readonly DatasetVersion[] }) {
  const { say, number } = useSpeech();
  const last = versions[0];
  // What others read is shown, and said so where a later version is in quarantine.
  const newest = versions.find((version) => version.number === dataset.latest) ?? last;
  const figures: Figure[] = [];
  let about = say("data.none");
  if (newest !== undefined && last !== undefined) {
    const values = { n: last.number, rows: last.rows, columns: last.columns.length };
    about = say(last.state === "quarantined" ? "data.quarantined" : "data.well", values);
    if (newest !== last) {
      about = `${about} ${say("data.instead", { n: newest.number })}`;
    }
    figures.push(
      { label: say("data.latest"), value: dataset.latest ?? say("data.none") },
      { label: say("unit.rows"), value: number(newest.rows) },
      { label: say("unit.columns"), value: number(newest.columns.length) },
      { label: say("common.created"), value: <When at={newest.created_at} /> },
    );
    if (dataset.roles.target !== "") {
      figures.push({ label: say("data.target"), value: dataset.roles.target });
    }
  }
  return (
    <Page
      title={dataset.name}
      about={about}
      action={
        <>
          {newest !== undefined && (
            <Button component={Link} to={`/train?dataset=${encodeURIComponent(dataset.name)}`}>
              {say("train.go")}
            </Button>
          )}
          <Adding dataset={dataset} />
        </>
      }
      figures={figures}
      {...(last === undefined ? {} : { state: last.state })}
    >
      {newest !== undefined && (
        <>
          <LineageStrip id={newest.artifact_id} name={`${dataset.name}@${newest.number}`} />
          <Parts
            parts={[
              { id: "profile", title: say("data.profile"), content: <ProfileOf version={newest} /> },
              { id: "checks", title: say("data.checks"), content: <Checks version={newest} /> },
              { id: "versions", title: say("data.versions"), content: <Versions versions={versions} /> },
            ]}
          />
        </>
      )}
      <ShowCode {...code.dataset(dataset.name)} />
    </Page>
  );
}

function Checks({ version }: { version: DatasetVersion }) {
  const { say } = useSpeech();
  const failed = version.checks.filter((check) => !check.passed);
  const passed = version.checks.filter((check) => check.passed);
  return (
    <>
      <p>
        {say("data.checksFailed", { n: failed.length })}, {say("data.checksPassed", { n: passed.length })}
      </p>
      <ul className="checks">
        {[...failed, ...passed].map((check) => (
          <li key={`${check.kind} ${check.column}`}>
            <StateBadge state={stateOf(check)} /> {check.message}
          </li>
        ))}
      </ul>
    </>
  );
}

function Versions({ versions }: { versions: readonly DatasetVersion[] }) {
  const { say, number } = useSpeech();
  const columns = useMemo<Column<DatasetVersion>[]>(
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

const versionNumber = (version: DatasetVersion): string => String(version.number);

function stateOf(check: CheckResult): string {
  return check.passed ? "passed" : check.severity === "warn" ? "warned" : "failed";
}

function newestFirst(versions: readonly DatasetVersion[]): DatasetVersion[] {
  return [...versions].sort((left, right) => right.number - left.number);
}
