import type { Endpoint, HeaderRule } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { promote, queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Confirm } from "../parts/Confirm";
import { DataTable, type Column } from "../parts/DataTable";
import { Facts } from "../parts/Facts";
import { Loaded } from "../parts/Loaded";
import { StateBadge } from "../parts/StateBadge";
import { TrafficBar } from "./TrafficBar";

/** Who answers what: the first rule that holds, else the shares; and how a canary does. */
export function Traffic({ endpoint }: { endpoint: Endpoint }) {
  const { say } = useSpeech();
  const deployments = endpoint.deployments ?? [];
  const sticky = endpoint.sticky ?? "";
  return (
    <>
      <Facts
        facts={[
          [say("endpoints.shares"), <TrafficBar key="shares" deployments={deployments} />],
          [say("endpoints.sticky"), sticky === "" ? say("endpoints.sticky.none") : <code key="sticky">{sticky}</code>],
        ]}
      />
      {deployments.some((one) => one.state === "canary") && <CanaryPart name={endpoint.name} />}
      <section aria-labelledby="rules">
        <h2 id="rules">{say("endpoints.rules")}</h2>
        <Rules endpoint={endpoint} />
      </section>
    </>
  );
}

function Rules({ endpoint }: { endpoint: Endpoint }) {
  const { say } = useSpeech();
  const rules = endpoint.rules ?? [];
  const columns = useMemo<Column<HeaderRule>[]>(() => {
    const models = new Map((endpoint.deployments ?? []).map((one) => [one.number, `${one.model}@${one.version}`]));
    return [
      { id: "header", header: say("endpoints.rule.header"), value: (row) => row.header },
      { id: "value", header: say("endpoints.rule.value"), value: (row) => row.value ?? "*" },
      {
        id: "deployment",
        header: say("endpoints.rule.deployment"),
        value: (row) => row.deployment,
        cell: (row) => `${row.deployment} · ${models.get(row.deployment) ?? ""}`,
      },
    ];
  }, [say, endpoint]);
  if (rules.length === 0) return <p className="none">{say("endpoints.rules.none")}</p>;
  return <DataTable label={say("endpoints.rules")} rows={rules} columns={columns} idOf={ruleOf} immediate />;
}

/** The challenger's step, what the evidence says so far, and the way past it. */
function CanaryPart({ name }: { name: string }) {
  const { say, number, percent } = useSpeech();
  const canary = useQuery(queries.canary(name));
  return (
    <section aria-labelledby="canary">
      <h2 id="canary">{say("canary.title")}</h2>
      <Loaded query={canary} what={say("canary.title")} lines={3}>
        {(found) => (
          <>
            <p>
              <StateBadge state={found.action} /> {found.reason}
            </p>
            <Facts
              facts={[
                [say("canary.step"), say("canary.of", { n: number(found.step), steps: number(found.steps) })],
                [say("endpoints.traffic"), percent(found.share)],
                ...Object.entries(found.measured ?? {}).map(
                  ([what, value]) => [what.replaceAll("_", " "), number(value)] as const,
                ),
              ]}
            />
            <Confirm
              action={say("canary.promote")}
              title={say("canary.promote")}
              about={say("canary.promote.about", { name })}
              act={() => promote(name)}
              changes="endpoints"
              quiet
            />
          </>
        )}
      </Loaded>
    </section>
  );
}

const ruleOf = (rule: HeaderRule): string => `${rule.header}=${rule.value ?? "*"}`;
