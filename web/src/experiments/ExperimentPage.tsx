import type { Experiment, RunWithData } from "@athanor/client";
import { Button, TextInput } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type FormEvent } from "react";
import { Link, useParams, useSearchParams } from "react-router";

import { DEFAULT_PROJECT, LISTED, queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Failure } from "../parts/Failure";
import { Id } from "../parts/Id";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { useSelection } from "../parts/Selection";
import { StateBadge } from "../parts/StateBadge";
import { Took, When } from "../parts/When";
import { ColumnChoice, useColumns } from "./columns";
import { metricOf, orderOf } from "./runsOf";

const REFRESH_MS = 5000;
const idOf = (run: RunWithData): string => run.info.id;
const hrefOf = (run: RunWithData): string => `/runs/${run.info.id}`;
const nameOf = (run: RunWithData): string => run.info.name;

/** One experiment: its runs with what they were given and what they measured. */
export function ExperimentPage() {
  const { say } = useSpeech();
  const { id = "" } = useParams();
  const project = useSearchParams()[0].get("project") ?? DEFAULT_PROJECT;
  const experiment = useQuery(queries.experiment(id, project));
  return (
    <Loaded query={experiment} what={say("experiments.title")}>
      {(found) => <OneExperiment experiment={found} project={project} />}
    </Loaded>
  );
}

function OneExperiment({ experiment, project }: { experiment: Experiment; project: string }) {
  const { say, number } = useSpeech();
  const [address] = useSearchParams();
  const filter = address.get("filter") ?? "";
  const order = orderOf(address.get("sort") ?? "");
  const asked = { experiment: experiment.id, project, filter, order };
  const runs = useQuery({
    ...queries.experimentRuns(asked),
    placeholderData: keepPreviousData,
    // Points are too many to be events: while a run is at work, its newest are asked for.
    refetchInterval: (query) =>
      query.state.data?.runs.some((run) => run.info.state === "running") === true ? REFRESH_MS : false,
  });
  const found = runs.data?.runs ?? [];
  const running = found.filter((run) => run.info.state === "running").length;
  const failed = found.filter((run) => run.info.state === "failed").length;
  return (
    <Page
      title={experiment.name}
      about={experiment.tags?.["mlflow.note.content"] ?? say("experiments.one.about")}
      figures={[
        { label: say("runs.title"), value: found.length >= LISTED ? `${number(LISTED)} +` : number(found.length) },
        { label: say("state.running"), value: number(running) },
        { label: say("state.failed"), value: number(failed) },
        { label: say("experiments.updated"), value: <When at={experiment.updated_at} /> },
      ]}
    >
      <section aria-label={say("runs.title")} className="table-part">
        <Search key={filter} filter={filter} />
        {runs.error !== null && <Failure what={say("runs.title")} error={runs.error} />}
        {runs.error === null && (
          <Loaded query={runs} what={say("runs.title")} lines={8}>
            {({ runs: rows }) => <Runs experiment={experiment.id} rows={rows} question={JSON.stringify(asked)} />}
          </Loaded>
        )}
      </section>
      <ShowCode {...code.experiment(experiment.name, experiment.id, filter)} />
    </Page>
  );
}

/** Conditions in the grammar of MLflow's search, sent by Enter and kept in the address. */
function Search({ filter }: { filter: string }) {
  const { say } = useSpeech();
  const [, setAddress] = useSearchParams();
  const [text, setText] = useState(filter);
  const put = (value: string): void => {
    setAddress((before) => {
      const after = new URLSearchParams(before);
      if (value.trim() === "") after.delete("filter");
      else after.set("filter", value.trim());
      return after;
    });
  };
  const send = (event: FormEvent): void => {
    event.preventDefault();
    put(text);
  };
  return (
    <form className="search" role="search" onSubmit={send}>
      <TextInput
        size="sm"
        className="search-field"
        aria-label={say("experiments.filter")}
        placeholder={code.filter}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button type="submit" size="sm" variant="default">
        {say("experiments.search")}
      </Button>
      {filter !== "" && (
        <button type="button" className="plain" onClick={() => put("")}>
          {say("common.clearFilter")}
        </button>
      )}
    </form>
  );
}

function Runs({ experiment, rows, question }: { experiment: string; rows: readonly RunWithData[]; question: string }) {
  const { say } = useSpeech();
  const selection = useSelection("run");
  const chosen = useColumns(experiment, rows);
  const columns = useRunColumns(chosen.shown);
  const known = new Set(rows.map(idOf));
  const compared = [...selection.chosen].filter((id) => known.has(id));
  useUnseenForgotten(selection.chosen.size > 0 && compared.length === 0, selection.clear);
  if (rows.length === 0) return <p className="none">{say("experiments.noRuns")}</p>;
  return (
    <>
      <DataTable
        label={say("runs.title")}
        rows={rows}
        columns={columns}
        idOf={idOf}
        hrefOf={hrefOf}
        nameOf={nameOf}
        selection={selection}
        question={question}
        ordered
        tools={
          <>
            <ColumnChoice {...chosen} />
            <Compare runs={compared} />
          </>
        }
      />
      {rows.length >= LISTED && <p className="none">{say("common.limited", { n: LISTED })}</p>}
    </>
  );
}

function Compare({ runs }: { runs: readonly string[] }) {
  const { say } = useSpeech();
  if (runs.length < 2) return <span className="none">{say("experiments.choose")}</span>;
  const query = new URLSearchParams(runs.map((run) => ["run", run]));
  return (
    <Button component={Link} size="sm" to={`/compare?${query}`}>
      {say("experiments.compare", { n: runs.length })}
    </Button>
  );
}

/** Ticks on runs that another search no longer shows would be compared unseen. */
function useUnseenForgotten(unseen: boolean, forget: () => void): void {
  useEffect(() => {
    if (unseen) forget();
  });
}

function useRunColumns(shown: readonly string[]): Column<RunWithData>[] {
  const { say, number } = useSpeech();
  return useMemo(
    () => [
      { id: "name", header: say("common.name"), value: (run) => run.info.name },
      {
        id: "state",
        header: say("common.state"),
        value: (run) => run.info.state,
        cell: (run) => <StateBadge state={run.info.state} />,
      },
      {
        id: "started",
        header: say("common.started"),
        value: (run) => run.info.started_at,
        cell: (run) => <When at={run.info.started_at} />,
      },
      ...shown.map((name): Column<RunWithData> => {
        const [kind, key] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
        if (kind === "params") return { id: name, header: key, value: (run) => run.params?.[key] ?? "" };
        return {
          id: name,
          header: key,
          numeric: true,
          value: (run) => Number(metricOf(run, key) ?? Number.NaN),
          cell: (run) => {
            const value = metricOf(run, key);
            if (value === undefined) return null;
            return <span title={String(value)}>{typeof value === "number" ? number(value) : value}</span>;
          },
        };
      }),
      {
        id: "took",
        header: say("common.took"),
        numeric: true,
        value: (run) => Date.parse(run.info.ended_at ?? "") - Date.parse(run.info.started_at),
        cell: (run) => <Took from={run.info.started_at} to={run.info.ended_at ?? null} />,
      },
      { id: "by", header: say("common.by"), value: (run) => run.info.user },
      { id: "id", header: say("common.id"), value: (run) => run.info.id, cell: (run) => <Id id={run.info.id} /> },
    ],
    [say, number, shown],
  );
}
