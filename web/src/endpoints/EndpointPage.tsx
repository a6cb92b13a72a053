import type { Deployment, Endpoint } from "@athanor/client";
import { Button, Modal } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useParams } from "react-router";

import { queries, rollBack } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { Command, ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Failure } from "../parts/Failure";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";
import { stateOf } from "./state";
import { TrafficBar } from "./TrafficBar";

/** One endpoint: who answers, since when, and the way back. */
export function EndpointPage() {
  const { name = "" } = useParams();
  const endpoint = useQuery(queries.endpoint(name));
  return (
    <Loaded query={endpoint} what={name}>
      {(found) => <OneEndpoint endpoint={found} />}
    </Loaded>
  );
}

function OneEndpoint({ endpoint }: { endpoint: Endpoint }) {
  const { say, number } = useSpeech();
  const deployments = endpoint.deployments ?? [];
  const taking = deployments.filter((one) => one.share > 0);
  const only = taking[0];
  const live = deployments.find((one) => one.state === "live");
  const standby = deployments.find((one) => one.state === "standby");
  const about =
    only === undefined
      ? say("endpoints.none")
      : taking.length === 1
        ? say("endpoints.one", { model: `${only.model}@${only.version}` })
        : say("endpoints.split", { n: taking.length });
  return (
    <Page
      title={endpoint.name}
      state={stateOf(endpoint)}
      about={about}
      action={standby === undefined ? undefined : <RollBack name={endpoint.name} />}
      figures={[
        { label: say("endpoints.traffic"), value: <TrafficBar deployments={deployments} /> },
        { label: say("endpoints.deployments"), value: number(deployments.length) },
        { label: say("common.created"), value: <When at={endpoint.created_at} /> },
      ]}
    >
      {endpoint.url !== "" && live !== undefined && (
        <section aria-labelledby="ask">
          <h2 id="ask">{say("endpoints.ask")}</h2>
          <Asking name={endpoint.name} />
        </section>
      )}
      {live !== undefined && <LineageStrip id={live.id} name={endpoint.name} />}
      <section aria-labelledby="deployments">
        <h2 id="deployments">{say("endpoints.deployments")}</h2>
        <Deployments deployments={deployments} />
      </section>
      <ShowCode {...code.endpoint(endpoint.name)} />
    </Page>
  );
}

function Deployments({ deployments }: { deployments: readonly Deployment[] }) {
  const { say, percent } = useSpeech();
  const columns = useMemo<Column<Deployment>[]>(
    () => [
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
    ],
    [say, percent],
  );
  return (
    <DataTable label={say("endpoints.deployments")} rows={deployments} columns={columns} idOf={idOf} immediate />
  );
}

/** Programs that ask it about a row that its model was trained on. */
function Asking({ name }: { name: string }) {
  return (
    <Parts
      parts={LANGUAGES.map(([id, title]) => ({
        id,
        title,
        content: <Program name={name} language={id} />,
      }))}
    />
  );
}

function Program({ name, language }: { name: string; language: string }) {
  const { say } = useSpeech();
  const program = useQuery(queries.endpointProgram(name, language));
  return (
    <Loaded query={program} what={say("endpoints.ask")}>
      {(text) => <Command text={text.trimEnd()} />}
    </Loaded>
  );
}

/** Asks once, with what depends on it; rolling back again undoes it. */
function RollBack({ name }: { name: string }) {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState(false);
  const rollback = useMutation({
    mutationFn: () => rollBack(name),
    onSuccess: () => {
      setAsking(false);
      return queryClient.invalidateQueries({ queryKey: ["endpoints"] });
    },
  });
  return (
    <>
      <Button onClick={() => setAsking(true)}>{say("endpoints.rollback")}</Button>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title={say("endpoints.rollback.title", { name })}
        closeButtonProps={{ "aria-label": say("common.cancel") }}
        lockScroll={false}
      >
        <p>{say("endpoints.rollback.about", { name })}</p>
        {rollback.error !== null && <Failure what={say("endpoints.rollback")} error={rollback.error} />}
        <div className="choices">
          <Button loading={rollback.isPending} onClick={() => rollback.mutate()}>
            {say("endpoints.rollback")}
          </Button>
          <Button variant="default" onClick={() => setAsking(false)}>
            {say("common.cancel")}
          </Button>
        </div>
      </Modal>
    </>
  );
}

const LANGUAGES = [
  ["curl", "curl"],
  ["python", "Python"],
  ["node", "Node"],
] as const;

const idOf = (deployment: Deployment): string => deployment.id;
