import type { Alert } from "@athanor/client";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { Facts } from "../parts/Facts";
import { Id } from "../parts/Id";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page, type Figure } from "../parts/Page";
import { When } from "../parts/When";
import { Findings } from "./Findings";

/** One alert: what moved, how sure that is, what to look at. */
export function AlertPage() {
  const { say } = useSpeech();
  const { id = "" } = useParams();
  const alert = useQuery(queries.alert(id));
  return (
    <Loaded query={alert} what={say("monitoring.alerts")}>
      {(found) => <OneAlert alert={found} />}
    </Loaded>
  );
}

function OneAlert({ alert }: { alert: Alert }) {
  const { say, number, percent } = useSpeech();
  const figures: Figure[] = [
    { label: say("monitoring.raised"), value: <When at={alert.raised_at} /> },
    { label: say("monitoring.times"), value: number(alert.times) },
  ];
  if (alert.columns !== undefined && alert.columns.length > 0) {
    figures.push({ label: say("monitoring.columns"), value: alert.columns.join(", ") });
  }
  if (alert.false_alarm_rate != null) {
    figures.push({ label: say("monitoring.falseAlarms"), value: percent(alert.false_alarm_rate) });
  }
  const report = alert.detail?.["report"];
  const endpoint = alert.detail?.["endpoint"];
  const windowNumber = alert.detail?.["window"];
  const subject = subjectOf(alert);
  const moved = alert.kind === "drift" ? (alert.columns ?? []) : [];
  // Of a drift, the findings below tell each column's figures.
  const about =
    moved.length > 0
      ? say("monitoring.moved", { n: moved.length, columns: moved.join(", ") })
      : alert.explanation;
  return (
    <Page
      title={`${alert.subject}: ${alert.kind}`}
      action={
        <Button component={Link} to={subject}>
          {say("monitoring.look", { what: alert.subject })}
        </Button>
      }
      state={alert.state}
      about={about}
      figures={figures}
    >
      {typeof endpoint === "string" && typeof windowNumber === "number" && (
        <Findings monitor={endpoint} number={windowNumber} />
      )}
      {typeof report === "string" && <LineageStrip id={report} name={say("monitoring.report")} />}
      <Facts
        facts={[
          [say("common.id"), <Id key="id" id={alert.id} />],
          ...(typeof endpoint === "string"
            ? [
                [
                  say("monitoring.endpoint"),
                  <Link key="endpoint" to={`/endpoints/${encodeURIComponent(endpoint)}`}>
                    {endpoint}
                  </Link>,
                ] as const,
              ]
            : []),
          ...(alert.closed_at == null
            ? []
            : [
                [say("monitoring.closed"), <When key="closed" at={alert.closed_at} />] as const,
                [say("monitoring.closedBecause"), alert.closed_because] as const,
              ]),
        ]}
      />
      <ShowCode {...code.alert(alert.id)} />
    </Page>
  );
}

/** Where the thing that an alert is about is to be seen. */
function subjectOf(alert: Alert): string {
  const subject = encodeURIComponent(alert.subject);
  if (alert.kind === "data") return `/data/${subject}?part=checks`;
  if (alert.kind !== "pipeline") return `/endpoints/${subject}`;
  const run = alert.detail?.["run"];
  return typeof run === "string" ? `/pipelines/${run}` : "/pipelines";
}
