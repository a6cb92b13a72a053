import type { Status } from "@athanor/client";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import type { Key } from "../i18n/en";
import { useSpeech } from "../i18n/language";
import { Command } from "../parts/Command";
import { Icon, type IconName } from "../parts/Icon";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { RunsTable } from "../runs/RunsTable";
import { useTrainCommand } from "../train/command";
import { nextStep, type Step } from "./next";

const RECENT = 8;
const ASKED = 100;

interface Station {
  path: string;
  icon: IconName;
  title: Key;
  count: "datasets" | "runs" | "models" | "endpoints" | "alerts";
}

const STATIONS: readonly Station[] = [
  { path: "/data", icon: "data", title: "room.data", count: "datasets" },
  { path: "/runs", icon: "runs", title: "room.runs", count: "runs" },
  { path: "/models", icon: "models", title: "room.models", count: "models" },
  { path: "/endpoints", icon: "endpoints", title: "room.endpoints", count: "endpoints" },
  { path: "/monitoring", icon: "monitoring", title: "room.monitoring", count: "alerts" },
];

/** What exists, whether it is well, and the next step round the loop. */
export function HomePage() {
  const { say } = useSpeech();
  const status = useQuery(queries.status());
  const project = useQuery(queries.projects()).data?.[0]?.name ?? "default";
  const recent = useQuery(queries.runs({ limit: ASKED }));
  const train = useTrainCommand();
  return (
    <Page title={say("home.title")} about={say("home.about", { project })}>
      <Loaded query={status} what={say("home.loop")}>
        {(told) => (
          <>
            <NextStep step={nextStep(told.counts, train)} />
            <Loop counts={told.counts} />
          </>
        )}
      </Loaded>
      <section aria-labelledby="recent">
        <div className="section-head">
          <h2 id="recent">{say("home.recent")}</h2>
          <Link to="/runs">{say("home.recent.all")}</Link>
        </div>
        <Loaded query={recent} what={say("home.recent")}>
          {(all) => {
            // Tasks are seen on their pipeline's page.
            const runs = all.filter((run) => run.kind !== "task").slice(0, RECENT);
            return runs.length === 0 ? (
              <p className="none">{say("home.empty.runs")}</p>
            ) : (
              <RunsTable runs={runs} label={say("home.recent")} immediate />
            );
          }}
        </Loaded>
      </section>
    </Page>
  );
}

function NextStep({ step }: { step: Step }) {
  const { say } = useSpeech();
  return (
    <section className="next" aria-labelledby="next">
      <div>
        <h2 id="next">{say("home.next")}</h2>
        <p>{say(step.about, { n: step.n })}</p>
        {step.command !== null && <Command text={step.command} />}
      </div>
      <Button component={Link} to={step.path} rightSection={<Icon name="arrow" size={16} />}>
        {say(step.go)}
      </Button>
      {step.demo && (
        <div className="next-demo">
          <p>{say("home.demo")}</p>
          <Command text={code.demo} />
        </div>
      )}
    </section>
  );
}

/** The five stations, in order; the last leads back to the first. */
function Loop({ counts }: { counts: Status["counts"] }) {
  const { say, number } = useSpeech();
  return (
    <nav aria-label={say("home.loop")}>
      <ol className="loop">
        {STATIONS.map((station) => {
          const n = counts[station.count] ?? 0;
          const burning = station.count === "alerts" && n > 0;
          return (
            <li key={station.path}>
              <Link to={station.path} className={burning ? "station station-alert" : "station"}>
                <span className="station-name">
                  <Icon name={station.icon} />
                  {say(station.title)}
                </span>
                <span className="station-count" data-count={station.count}>
                  {number(n)}
                </span>
                <span className="station-unit">{say(`home.count.${station.count}`, { n })}</span>
              </Link>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
