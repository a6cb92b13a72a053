import type { Endpoint } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";

import { queries, rollBack } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { Command, ShowCode } from "../parts/Command";
import { Confirm } from "../parts/Confirm";
import { LineageStrip } from "../parts/LineageStrip";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { When } from "../parts/When";
import { Deployments } from "./Deployments";
import { Predictions } from "./Predictions";
import { Shadow } from "./Shadow";
import { stateOf } from "./state";
import { Traffic } from "./Traffic";
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
  const { name } = endpoint;
  const parts = [
    {
      id: "deployments",
      title: say("endpoints.deployments"),
      content: <Deployments name={name} deployments={deployments} />,
    },
    { id: "traffic", title: say("endpoints.traffic"), content: <Traffic endpoint={endpoint} /> },
    { id: "predictions", title: say("predictions.title"), content: <Predictions name={name} /> },
  ];
  if (deployments.some((one) => one.state === "shadow")) {
    parts.push({ id: "shadow", title: say("shadow.title"), content: <Shadow name={name} /> });
  }
  if (endpoint.url !== "" && live !== undefined) {
    parts.push({ id: "ask", title: say("endpoints.ask"), content: <Asking name={name} /> });
  }
  return (
    <Page
      title={endpoint.name}
      state={stateOf(endpoint)}
      about={about}
      action={
        standby === undefined ? undefined : (
          <Confirm
            action={say("endpoints.rollback")}
            title={say("endpoints.rollback.title", { name })}
            about={say("endpoints.rollback.about", { name })}
            act={() => rollBack(name)}
            changes="endpoints"
          />
        )
      }
      figures={[
        { label: say("endpoints.traffic"), value: <TrafficBar deployments={deployments} /> },
        { label: say("endpoints.deployments"), value: number(deployments.length) },
        { label: say("common.created"), value: <When at={endpoint.created_at} /> },
      ]}
    >
      {live !== undefined && <LineageStrip id={live.id} name={endpoint.name} />}
      <Parts parts={parts} />
      <ShowCode {...code.endpoint(endpoint.name)} />
    </Page>
  );
}

/** Programs that ask it about a row that its model was trained on. */
function Asking({ name }: { name: string }) {
  return LANGUAGES.map(([id, title]) => (
    <section key={id} aria-labelledby={`ask-${id}`}>
      <h2 id={`ask-${id}`}>{title}</h2>
      <Program name={name} language={id} />
    </section>
  ));
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

const LANGUAGES = [
  ["curl", "curl"],
  ["python", "Python"],
  ["node", "Node"],
] as const;
