import type { Deployment, DeploymentStatus } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { DataTable, type Column } from "../parts/DataTable";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";

/** Every model version that stood behind an endpoint: what runs of it, and why it is as it is. */
export function Deployments({ name, deployments }: { name: string; deployments: readonly Deployment[] }) {
  const { say, percent, number } = useSpeech();
  const running = useQuery(queries.endpointStatus(name)).data;
  const columns = useMemo<Column<Deployment>[]>(() => {
    const status = new Map((running?.deployments ?? []).map((one) => [one.number, one]));
    return [
      { id: "number", header: say("endpoints.number"), numeric: true, value: (row) => row.number },
      {
        id: "model",
        header: say("endpoints.model"),
        value: (row) => `${row.model}@${row.version}`,
        cell: (row) => (
          <Link to={`/models/${encodeURIComponent(row.model)}`}>{`${row.model}@${row.version}`}</Link>
        ),
      },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => row.state,
        cell: (row) => <StateBadge state={row.state} />,
      },
      {
        id: "share",
        header: say("endpoints.traffic"),
        numeric: true,
        value: (row) => row.share,
        cell: (row) => percent(row.share),
      },
      {
        id: "runtime",
        header: say("endpoints.runtime"),
        value: (row) => row.runtime?.kind ?? "",
        cell: (row) => <span title={whyOf(row)}>{row.runtime?.kind}</span>,
      },
      {
        id: "workers",
        header: say("endpoints.workers"),
        value: (row) => status.get(row.number)?.workers ?? Number.NaN,
        cell: (row) => <Workers status={status.get(row.number)} />,
      },
      {
        id: "requests",
        header: say("endpoints.requests"),
        numeric: true,
        value: (row) => status.get(row.number)?.requests ?? Number.NaN,
        cell: (row) => {
          const found = status.get(row.number);
          return found === undefined ? null : number(found.requests);
        },
      },
      {
        id: "errors",
        header: say("endpoints.errors"),
        numeric: true,
        value: (row) => status.get(row.number)?.errors ?? Number.NaN,
        cell: (row) => {
          const found = status.get(row.number);
          return found === undefined ? null : number(found.errors);
        },
      },
      {
        id: "created",
        header: say("common.created"),
        value: (row) => row.created_at,
        cell: (row) => <When at={row.created_at} />,
      },
      {
        id: "reason",
        header: say("endpoints.reason"),
        value: (row) => row.reason,
        cell: (row) => <span className="long">{row.reason}</span>,
      },
    ];
  }, [say, percent, number, running]);
  return (
    <DataTable label={say("endpoints.deployments")} rows={deployments} columns={columns} idOf={idOf} immediate />
  );
}

/** What answers; a model inside the data plane needs no process of its own. */
function Workers({ status }: { status: DeploymentStatus | undefined }) {
  const { say, number } = useSpeech();
  if (status === undefined) return null;
  if (status.problem !== "") return <span className="long">{status.problem}</span>;
  if (status.runtime !== "native") return say("endpoints.inside");
  return status.asleep ? say("endpoints.asleep") : number(status.workers);
}

/** Why no faster runtime answers for it. */
function whyOf(deployment: Deployment): string {
  return Object.entries(deployment.runtime?.why_not ?? {})
    .map(([kind, why]) => `${kind}: ${why}`)
    .join("\n");
}

const idOf = (deployment: Deployment): string => deployment.id;
