import type { Holdout, Model, ModelVersion } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useParams, useSearchParams } from "react-router";

import { queries } from "../api/queries";
import { short } from "../i18n/format";
import { code } from "../code";
import { Deploying } from "../endpoints/Deploying";
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
import { Aliases } from "./Aliases";
import { CardPart } from "./CardPart";
import { Gates } from "./Gates";

const METRICS_SHOWN = 3;
/** The figures that decide come first. */
const LEADING = ["roc_auc", "average_precision", "r2", "rmse", "accuracy", "log_loss"];

/** One model: which version is the champion, how good it is, all versions. */
export function ModelPage() {
  const { say } = useSpeech();
  const { name = "" } = useParams();
  const model = useQuery(queries.model(name));
  const versions = useQuery(queries.modelVersions(name));
  return (
    <Loaded query={model} what={name}>
      {(found) => (
        <Loaded query={versions} what={say("models.versions")}>
          {(rows) => <OneModel model={found} versions={newestFirst(rows)} />}
        </Loaded>
      )}
    </Loaded>
  );
}

function OneModel({ model, versions }: { model: Model; versions: readonly ModelVersion[] }) {
  const { say, number } = useSpeech();
  const champion = model.aliases?.["champion"];
  const asked = Number(useSearchParams()[0].get("version") ?? champion);
  const shown = versions.find((version) => version.number === asked) ?? versions[0];
  const figures: Figure[] = leading(shown === undefined ? [] : [shown]).map((name) => {
    const value = shown?.metrics[name] ?? Number.NaN;
    return { label: name, value: number(value), full: String(value) };
  });
  figures.unshift({ label: say("models.champion"), value: champion ?? "–" });
  figures.push({ label: say("models.versions"), value: number(versions.length) });
  return (
    <Page
      title={model.name}
      about={champion === undefined ? say("models.champion.none") : say("models.champion.is", { n: champion })}
      action={shown === undefined ? undefined : <Deploying model={model.name} version={shown.number} />}
      figures={figures}
    >
      {shown?.artifact_id != null && (
        <LineageStrip id={shown.artifact_id} name={`${model.name}@${shown.number}`} />
      )}
      <Parts
        parts={[
          {
            id: "versions",
            title: say("models.versions"),
            content: <Versions model={model} versions={versions} />,
          },
          {
            id: "card",
            title: say("card.title"),
            content: shown !== undefined && (
              <>
                <VersionChoice versions={versions} shown={shown.number} />
                <CardPart key={shown.number} model={model.name} number={shown.number} />
              </>
            ),
          },
          { id: "gates", title: say("gates.title"), content: <Gates model={model.name} /> },
        ]}
      />
      <ShowCode {...code.model(model.name, shown?.number ?? 1)} />
    </Page>
  );
}

/** Which version's card is shown; in the address. */
function VersionChoice({ versions, shown }: { versions: readonly ModelVersion[]; shown: number }) {
  const { say } = useSpeech();
  const [, setAddress] = useSearchParams();
  const choose = (number: string): void => {
    setAddress((before) => {
      const after = new URLSearchParams(before);
      after.set("version", number);
      return after;
    });
  };
  return (
    <label className="version-choice">
      {say("common.version")}{" "}
      <select value={shown} onChange={(event) => choose(event.currentTarget.value)}>
        {versions.map((version) => (
          <option key={version.number} value={version.number}>
            {[version.number, ...(version.aliases ?? [])].join(" · ")}
          </option>
        ))}
      </select>
    </label>
  );
}

function Versions({ model, versions }: { model: Model; versions: readonly ModelVersion[] }) {
  const { say, number } = useSpeech();
  const holdouts = useQuery(queries.modelHoldouts(model.name)).data;
  const columns = useMemo<Column<ModelVersion>[]>(() => {
    const measured = new Map((holdouts ?? []).map((holdout) => [holdout.number, holdout]));
    return [
      { id: "number", header: say("common.version"), value: (row) => row.number },
      {
        id: "aliases",
        header: say("models.aliases"),
        value: (row) => (row.aliases ?? []).join(" "),
        cell: (row) => <Aliases aliases={model.aliases ?? {}} of={row.number} />,
      },
      ...leading(versions).map(
        (name): Column<ModelVersion> => ({
          id: `metric ${name}`,
          header: name,
          numeric: true,
          value: (row) => row.metrics[name] ?? Number.NaN,
          cell: (row) => {
            const value = row.metrics[name];
            return value === undefined ? null : <span title={String(value)}>{number(value)}</span>;
          },
        }),
      ),
      {
        id: "holdout",
        header: say("models.holdout"),
        value: (row) => measured.get(row.number)?.digest ?? "",
        cell: (row) => <MeasuredOn holdout={measured.get(row.number)} />,
      },
      {
        id: "gate",
        header: say("models.gate"),
        value: (row) => row.verdict?.reason ?? "",
        cell: (row) => row.verdict != null && <Verdict verdict={row.verdict} />,
      },
      {
        id: "run",
        header: say("models.run"),
        value: (row) => row.run_id ?? "",
        cell: (row) =>
          row.run_id == null ? null : (
            <Link className="mono" to={`/runs/${row.run_id}`}>
              {short(row.run_id)}
            </Link>
          ),
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
    ];
  }, [say, number, model, versions, holdouts]);
  return (
    <>
      {differ(holdouts ?? []) && <p role="note">{say("models.holdout.differ")}</p>}
      <DataTable label={say("models.versions")} rows={versions} columns={columns} idOf={versionNumber} immediate />
    </>
  );
}

/** The rows that a version's figures rest on. */
function MeasuredOn({ holdout }: { holdout: Holdout | undefined }) {
  const { say, number } = useSpeech();
  if (holdout?.digest === undefined || holdout.digest === "") return say("models.holdout.unknown");
  const rows = holdout.rows === undefined || holdout.rows === 0 ? "" : ` (${number(holdout.rows)})`;
  return (
    <span title={holdout.digest}>
      {holdout.name} {short(holdout.digest.replace("sha256:", ""))}
      {rows}
    </span>
  );
}

/** Whether versions were measured on different rows: their figures are not comparable. */
function differ(holdouts: readonly Holdout[]): boolean {
  return new Set(holdouts.map((holdout) => holdout.digest ?? "").filter((digest) => digest !== "")).size > 1;
}

/** The names of the metrics to show. */
function leading(versions: readonly ModelVersion[]): string[] {
  const names = [...new Set(versions.flatMap((version) => Object.keys(version.metrics)))];
  const rank = (name: string): number => (LEADING.includes(name) ? LEADING.indexOf(name) : LEADING.length);
  return names.sort((left, right) => rank(left) - rank(right)).slice(0, METRICS_SHOWN);
}

/** What the gate said, with its reason on hover. */
function Verdict({ verdict }: { verdict: NonNullable<ModelVersion["verdict"]> }) {
  return (
    <span title={verdict.reason}>
      <StateBadge state={verdict.passed ? "passed" : "refused"} />
    </span>
  );
}

const versionNumber = (version: ModelVersion): string => String(version.number);

function newestFirst(versions: readonly ModelVersion[]): ModelVersion[] {
  return [...versions].sort((left, right) => right.number - left.number);
}
