import type { Graph, Node } from "@athanor/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Icon } from "./Icon";
import { StateBadge } from "./StateBadge";

const SHOWN = 6;
const LANDMARKS = new Set(["file", "dataset", "model", "report", "pipeline", "serving", "script"]);

/** Came from ... -> this -> used by ...: one strip under whatever has a place in the graph. */
export function LineageStrip({ id, name }: { id: string; name: string }) {
  const { say } = useSpeech();
  const up = useQuery(queries.lineage(id, "up"));
  const down = useQuery(queries.lineage(id, "down"));
  if (up.data === undefined && down.data === undefined) return null;
  return (
    <section className="lineage" aria-label={say("lineage.title")}>
      <h2>{say("lineage.title")}</h2>
      <div className="lineage-strip">
        <Side title={say("lineage.from")} none={say("lineage.nothingUp")} nodes={others(up.data, id)} />
        <Icon name="arrow" />
        <div className="lineage-this">
          <span className="lineage-title">{say("lineage.this")}</span>
          <strong>{name}</strong>
        </div>
        <Icon name="arrow" />
        <Side title={say("lineage.to")} none={say("lineage.nothingDown")} nodes={others(down.data, id)} />
      </div>
    </section>
  );
}

function Side({ title, none, nodes }: { title: string; none: string; nodes: readonly Node[] }) {
  return (
    <div className="lineage-side">
      <span className="lineage-title">{title}</span>
      {nodes.length === 0 && <span className="none">{none}</span>}
      <Nodes nodes={nodes.slice(0, SHOWN)} />
      {nodes.length > SHOWN && (
        <details>
          <summary className="none">{`+ ${nodes.length - SHOWN}`}</summary>
          <Nodes nodes={nodes.slice(SHOWN)} />
        </details>
      )}
    </div>
  );
}

function Nodes({ nodes }: { nodes: readonly Node[] }) {
  return (
    <ul>
      {nodes.map((node) => (
        <li key={node.id}>
          <NodeLink node={node} />
        </li>
      ))}
    </ul>
  );
}

function NodeLink({ node }: { node: Node }) {
  const href = hrefOf(node);
  const name = (
    <>
      <span className="kind">{node.type}</span> {node.name}
    </>
  );
  return (
    <span className="node">
      {href === null ? <span>{name}</span> : <Link to={href}>{name}</Link>}
      {node.kind === "run" && node.state !== "" && <StateBadge state={node.state} />}
    </span>
  );
}

/** Where a node has a page of its own. */
function hrefOf(node: Node): string | null {
  if (node.kind === "run") {
    if (node.type === "pipeline") return `/pipelines/${node.id}`;
    // A deployment's run is called by its endpoint and its number there: churn/2.
    if (node.type === "serving") return `/endpoints/${encodeURIComponent(node.name.split("/")[0] ?? "")}`;
    return `/runs/${node.id}`;
  }
  // A registered version is called churn@2; what a step hands on is called by the step.
  const [name = "", version] = node.name.split("@");
  if (version === undefined) return null;
  if (node.type === "dataset") return `/data/${encodeURIComponent(name)}`;
  if (node.type === "model") return `/models/${encodeURIComponent(name)}`;
  return null;
}

/**
 * What has a page first, then the files at the root, each nearest first. Steps and tables in between
 * give way to what has a name of its own.
 */
function others(graph: Graph | undefined, id: string): Node[] {
  const nodes = (graph?.nodes ?? []).filter((node) => node.id !== id);
  const landmarks = nodes.filter((node) => LANDMARKS.has(node.type));
  const rank = (node: Node): number => (hrefOf(node) !== null ? 0 : node.type === "file" ? 1 : 2);
  return (landmarks.length === 0 ? nodes : landmarks).sort((left, right) => rank(left) - rank(right));
}
