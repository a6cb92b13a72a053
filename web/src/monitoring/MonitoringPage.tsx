import type { Alert, Monitor } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";

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

const idOf = (row: Alert | Monitor): string => row.id;
const hrefOf = (alert: Alert): string => `/monitoring/alerts/${alert.id}`;

/** What is alight, and what is watched. */
export function MonitoringPage() {
  const { say } = useSpeech();
  const alerts = useQuery(queries.alerts());
  const monitors = useQuery(queries.monitors());
  return (
    <Page title={say("monitoring.title")} about={say("monitoring.about")}>
      <section aria-labelledby="alerts">
        <h2 id="alerts">{say("monitoring.alerts")}</h2>
        <Loaded query={alerts} what={say("monitoring.alerts")}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty
                title={say("monitoring.empty.title")}
                about={say("monitoring.empty.about")}
                command={code.monitor}
              />
            ) : (
              <Alerts alerts={rows} />
            )
          }
        </Loaded>
      </section>
      <section aria-labelledby="monitors">
        <h2 id="monitors">{say("monitoring.monitors")}</h2>
        <Loaded query={monitors} what={say("monitoring.monitors")}>
          {(rows) =>
            rows.length === 0 ? (
              <p className="none">{say("monitoring.monitors.none")}</p>
            ) : (
              <Monitors monitors={rows} />
            )
          }
        </Loaded>
      </section>
      <ShowCode {...code.monitoring()} />
    </Page>
  );
}

function Alerts({ alerts }: { alerts: readonly Alert[] }) {
  const { say } = useSpeech();
  const columns = useMemo<Column<Alert>[]>(
    () => [
      { id: "subject", header: say("monitoring.subject"), value: (row) => row.subject },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => row.state,
        cell: (row) => <StateBadge state={row.state} />,
      },
      { id: "kind", header: say("common.kind"), value: (row) => row.kind },
      {
        id: "columns",
        header: say("monitoring.columns"),
        value: (row) => (row.columns ?? []).join(", "),
        cell: (row) => <span className="long">{(row.columns ?? []).join(", ")}</span>,
      },
      {
        id: "raised",
        header: say("monitoring.raised"),
        value: (row) => row.raised_at,
        cell: (row) => <When at={row.raised_at} />,
      },
      {
        id: "explanation",
        header: say("monitoring.explanation"),
        value: (row) => row.explanation,
        cell: (row) => <span className="long clamped" title={row.explanation}>{row.explanation}</span>,
      },
    ],
    [say],
  );
  return (
    <DataTable
      label={say("monitoring.alerts")}
      rows={alerts}
      columns={columns}
      idOf={idOf}
      hrefOf={hrefOf}
      addressed
    />
  );
}

function Monitors({ monitors }: { monitors: readonly Monitor[] }) {
  const { say, number } = useSpeech();
  const columns = useMemo<Column<Monitor>[]>(
    () => [
      {
        id: "endpoint",
        header: say("monitoring.endpoint"),
        value: (row) => row.endpoint,
        cell: (row) => <Link to={`/endpoints/${encodeURIComponent(row.endpoint)}`}>{row.endpoint}</Link>,
      },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => row.state,
        cell: (row) => (
          <span title={row.problem}>
            <StateBadge state={row.state} />
          </span>
        ),
      },
      {
        id: "verdict",
        header: say("monitoring.verdict"),
        value: (row) => row.last_verdict ?? "",
        cell: (row) => (row.last_verdict == null ? null : <StateBadge state={row.last_verdict} />),
      },
      { id: "model", header: say("endpoints.model"), value: (row) => `${row.model}@${row.version}` },
      {
        id: "windows",
        header: say("monitoring.windows"),
        numeric: true,
        value: (row) => row.windows,
        cell: (row) => number(row.windows),
      },
      {
        id: "checked",
        header: say("monitoring.checked"),
        value: (row) => row.last_run_at ?? "",
        cell: (row) => <When at={row.last_run_at} />,
      },
    ],
    [say, number],
  );
  return <DataTable label={say("monitoring.monitors")} rows={monitors} columns={columns} idOf={idOf} immediate />;
}
