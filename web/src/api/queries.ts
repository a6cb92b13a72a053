import { connect, read, type Dataset } from "@athanor/client";
import { queryOptions } from "@tanstack/react-query";

import { storedToken } from "./token";

const api = connect({ token: storedToken });

/** Where what names no project lies. */
export const DEFAULT_PROJECT = "default";

/** How many rows a list asks for; the newest. */
export const LISTED = 200;

/** What no event tells of (requests, a canary's evidence) is asked for anew as often. */
const ANEW_MS = 10_000;

const SEARCH = { filter: "", view: "active", page_token: "", limit: LISTED } as const;

const DEPLOY = {
  follow: false,
  member: false,
  other_columns: false,
  project: DEFAULT_PROJECT,
  recipe: "",
  replicas: 1,
  stage: false,
} as const;

export interface RunsAsked {
  kind?: string;
  state?: string;
  parent?: string;
  limit?: number;
}

export interface RunsSearched {
  experiment: string;
  project: string;
  filter: string;
  order: string;
}

/**
 * What the pages ask the server, each with the key under which it is kept.
 *
 * A key begins with the room's word: events make a room's answers stale by that word (live.ts).
 */
export const queries = {
  status: () =>
    queryOptions({
      queryKey: ["status"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/status", { signal })),
    }),
  projects: () =>
    queryOptions({
      queryKey: ["projects"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/projects", { signal })),
    }),
  runs: (asked: RunsAsked = {}) =>
    queryOptions({
      queryKey: ["runs", asked],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/runs", { signal, params: { query: { limit: LISTED, ...asked } } })),
    }),
  run: (id: string) =>
    queryOptions({
      queryKey: ["runs", id],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/runs/{run_id}", { signal, params: { path: { run_id: id } } })),
    }),
  experimentProjects: () =>
    queryOptions({
      queryKey: ["experiments", "projects"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/experiments/projects", { signal })),
    }),
  experiments: (project: string) =>
    queryOptions({
      queryKey: ["experiments", "all", project],
      queryFn: ({ signal }) =>
        read(api.POST("/api/v1/experiments/search", { signal, body: { ...SEARCH, project } })),
    }),
  experiment: (id: string, project: string) =>
    queryOptions({
      queryKey: ["experiments", id, project],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/experiments/{experiment_id}", {
            signal,
            params: { path: { experiment_id: id }, query: { project } },
          }),
        ),
    }),
  experimentRuns: (asked: RunsSearched) =>
    queryOptions({
      queryKey: ["tracked", asked],
      queryFn: ({ signal }) =>
        read(
          api.POST("/api/v1/tracked-runs/search", {
            signal,
            body: {
              ...SEARCH,
              project: asked.project,
              experiments: [asked.experiment],
              filter: asked.filter,
              order_by: asked.order === "" ? [] : [asked.order],
            },
          }),
        ),
      // A filter that can't be read will not be understood the second time either.
      retry: false,
    }),
  trackedRun: (id: string) =>
    queryOptions({
      queryKey: ["tracked", id],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/tracked-runs/{run_id}", { signal, params: { path: { run_id: id } } })),
    }),
  files: (path: string, project: string) =>
    queryOptions({
      queryKey: ["tracked", "files", project, path],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/files", { signal, params: { query: { path, project, deep: true } } })),
    }),
  params: (id: string) =>
    queryOptions({
      queryKey: ["tracked", id, "params"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/runs/{run_id}/params", { signal, params: { path: { run_id: id } } })),
    }),
  metrics: (id: string) =>
    queryOptions({
      queryKey: ["tracked", id, "metrics"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/runs/{run_id}/metrics", { signal, params: { path: { run_id: id } } })),
    }),
  history: (id: string, metric: string) =>
    queryOptions({
      queryKey: ["tracked", id, "metrics", metric],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/runs/{run_id}/metrics/{key}", {
            signal,
            params: { path: { run_id: id, key: metric } },
          }),
        ),
    }),
  hints: (id: string) =>
    queryOptions({
      queryKey: ["tracked", id, "hints"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/runs/{run_id}/hints", { signal, params: { path: { run_id: id } } })),
    }),
  approvals: (state: "open" | null) =>
    queryOptions({
      queryKey: ["approvals", state],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/approval-requests", {
            signal,
            params: { query: state === null ? {} : { state } },
          }),
        ),
    }),
  judgements: (model: string, number?: number) =>
    queryOptions({
      queryKey: ["models", model, "judgements", number ?? null],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/models/{name}/judgements", {
            signal,
            params: { path: { name: model }, query: number === undefined ? {} : { number } },
          }),
        ),
    }),
  card: (model: string, number: number) =>
    queryOptions({
      queryKey: ["models", model, "card", number],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/models/{name}/versions/{version}/card/contents", {
            signal,
            params: { path: { name: model, version: String(number) } },
          }),
        ),
    }),
  pipelineRuns: () =>
    queryOptions({
      queryKey: ["pipelines"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/pipelines/runs", { signal })),
    }),
  pipelineRun: (id: string) =>
    queryOptions({
      queryKey: ["pipelines", id],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/pipelines/runs/{run_id}", { signal, params: { path: { run_id: id } } })),
    }),
  lineage: (id: string, direction: "up" | "down") =>
    queryOptions({
      queryKey: ["lineage", id, direction],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/lineage/{root}", {
            signal,
            params: { path: { root: id }, query: { direction } },
          }),
        ),
    }),
  featureViews: () =>
    queryOptions({
      queryKey: ["features"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/features/views", { signal })),
    }),
  featureView: (name: string) =>
    queryOptions({
      queryKey: ["features", "view", name],
      queryFn: ({ signal }) => read(api.GET("/api/v1/features/views/{name}", { signal, params: { path: { name } } })),
    }),
  featureVersions: (name: string) =>
    queryOptions({
      queryKey: ["features", "versions", name],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/features/views/{name}/versions", { signal, params: { path: { name } } })),
    }),
  onDemandViews: () =>
    queryOptions({
      queryKey: ["features", "on-demand"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/features/on-demand", { signal })),
    }),
  featureServices: () =>
    queryOptions({
      queryKey: ["features", "services"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/features/services", { signal })),
    }),
  featureFreshness: () =>
    queryOptions({
      queryKey: ["features", "freshness"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/features/freshness", { signal })),
    }),
  datasets: () =>
    queryOptions({
      queryKey: ["datasets"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/datasets", { signal })),
    }),
  dataset: (name: string) =>
    queryOptions({
      queryKey: ["datasets", name],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/datasets/{name}", { signal, params: { path: { name } } })),
    }),
  datasetVersions: (name: string) =>
    queryOptions({
      queryKey: ["datasets", name, "versions"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/datasets/{name}/versions", { signal, params: { path: { name } } })),
    }),
  profile: (name: string, number: number) =>
    queryOptions({
      queryKey: ["datasets", name, "versions", number, "profile"],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/datasets/{name}/versions/{number}/profile", {
            signal,
            params: { path: { name, number: String(number) } },
          }),
        ),
      // A version never changes, so its profile does not either.
      staleTime: Number.POSITIVE_INFINITY,
    }),
  sql: (text: string) =>
    queryOptions({
      queryKey: ["sql", text],
      queryFn: ({ signal }) =>
        read(
          api.POST("/api/v1/sql", { signal, body: { sql: text, limit: 1000, seconds: 60, memory_mb: 1024 } }),
        ),
      enabled: text.trim() !== "",
      // What can't be read will not be understood the second time either.
      retry: false,
      refetchOnWindowFocus: false,
    }),
  sqlTables: () =>
    queryOptions({
      queryKey: ["datasets", "sql tables"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/sql/tables", { signal })),
    }),
  models: () =>
    queryOptions({
      queryKey: ["models"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/models", { signal })),
    }),
  model: (name: string) =>
    queryOptions({
      queryKey: ["models", name],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/models/{name}", { signal, params: { path: { name } } })),
    }),
  modelVersions: (name: string) =>
    queryOptions({
      queryKey: ["models", name, "versions"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/models/{name}/versions", { signal, params: { path: { name } } })),
    }),
  modelHoldouts: (name: string) =>
    queryOptions({
      queryKey: ["models", name, "holdouts"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/models/{name}/holdouts", { signal, params: { path: { name } } })),
    }),
  endpoints: () =>
    queryOptions({
      queryKey: ["endpoints"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/endpoints", { signal })),
    }),
  endpoint: (name: string) =>
    queryOptions({
      queryKey: ["endpoints", name],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/endpoints/{name}", { signal, params: { path: { name } } })),
    }),
  endpointProgram: (name: string, language: string) =>
    queryOptions({
      queryKey: ["endpoints", name, "program", language],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/endpoints/{name}/snippet", {
            signal,
            params: { path: { name }, query: { language } },
            parseAs: "text",
          }),
        ),
    }),
  endpointStatus: (name: string) =>
    queryOptions({
      queryKey: ["endpoints", name, "status"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/endpoints/{name}/status", { signal, params: { path: { name } } })),
      refetchInterval: ANEW_MS,
    }),
  canary: (name: string) =>
    queryOptions({
      queryKey: ["endpoints", name, "canary"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/endpoints/{name}/canary", { signal, params: { path: { name } } })),
      refetchInterval: ANEW_MS,
    }),
  shadow: (name: string) =>
    queryOptions({
      queryKey: ["endpoints", name, "shadow"],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/endpoints/{name}/shadow", { signal, params: { path: { name } } })),
      refetchInterval: ANEW_MS,
    }),
  predictions: (name: string) =>
    queryOptions({
      queryKey: ["endpoints", name, "predictions"],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/endpoints/{name}/predictions", {
            signal,
            params: { path: { name }, query: { limit: LISTED } },
            refetchInterval: ANEW_MS,
    }),
        ),
    }),
  alerts: () =>
    queryOptions({
      queryKey: ["alerts"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/alerts", { signal })),
    }),
  alert: (id: string) =>
    queryOptions({
      queryKey: ["alerts", id],
      queryFn: ({ signal }) =>
        read(api.GET("/api/v1/alerts/{alert_id}", { signal, params: { path: { alert_id: id } } })),
    }),
  window: (monitor: string, number: number) =>
    queryOptions({
      queryKey: ["monitors", monitor, "windows", number],
      queryFn: ({ signal }) =>
        read(
          api.GET("/api/v1/monitors/{name}/windows/{number}", {
            signal,
            params: { path: { name: monitor, number } },
          }),
        ),
    }),
  monitors: () =>
    queryOptions({
      queryKey: ["monitors"],
      queryFn: ({ signal }) => read(api.GET("/api/v1/monitors", { signal })),
    }),
};

/** Send an endpoint's traffic back to the deployment that had it before. */
export function rollBack(name: string) {
  return read(api.POST("/api/v1/endpoints/{name}/rollback", { params: { path: { name } } }));
}

/** Send a file of any size as a dataset's next version. */
export function addFile(name: string, file: File, target: string, mode: "replace" | "append") {
  return read(
    api.PUT("/api/v1/datasets/{name}/versions", {
      params: { path: { name }, query: { file: file.name, mode, ...(target === "" ? {} : { target }) } },
      headers: { "Content-Type": "application/octet-stream" },
      // The body is the file itself, which the API's description has no schema for.
      body: file as never,
      bodySerializer: (body: unknown) => body as File,
    }),
  );
}

/** Train classifiers on a dataset's newest version; the best is registered if its gate lets it pass. */
export function train(dataset: Dataset, target: string, name: string, champion: boolean) {
  const { id, time, sensitive } = dataset.roles;
  const roles = { id, time, sensitive: sensitive[0] ?? "" };
  const told = Object.fromEntries(Object.entries(roles).filter(([, column]) => column !== ""));
  return read(
    api.POST("/api/v1/pipelines/runs", {
      body: {
        pipeline: "classification",
        project: dataset.project,
        cache: true,
        parameters: { target, name, ...told },
        artifacts: {
          data: `dataset:${dataset.name}@latest`,
          ...(champion ? { champion: `model:${name}@champion` } : {}),
        },
      },
    }),
  );
}

/** Let the canary take all traffic now, whatever is still to be judged. */
export function promote(name: string) {
  return read(api.POST("/api/v1/endpoints/{name}/promote", { params: { path: { name } } }));
}

/** Put a model version behind an endpoint; with a share, as a canary that is judged first. */
export function deploy(name: string, model: string, canary: number | null) {
  return read(
    api.POST("/api/v1/endpoints/{name}/deployments", {
      params: { path: { name } },
      body: { ...DEPLOY, model, canary },
    }),
  );
}

/** Agree to a move of an alias, or refuse it with a reason. */
export function decide(id: string, agreed: boolean, reason: string) {
  const request = { params: { path: { request_id: id } }, body: { reason } };
  return read(
    agreed
      ? api.POST("/api/v1/approval-requests/{request_id}/approve", request)
      : api.POST("/api/v1/approval-requests/{request_id}/reject", request),
  );
}

/** A file's bytes; as a link they could not be had where the server wants a token. */
export async function readFile(path: string, project: string): Promise<Blob> {
  const asked = { params: { path: { path }, query: { project } }, parseAs: "blob" } as const;
  return (await read(api.GET("/api/v1/files/{path}", asked))) as Blob;
}

/** Write a section of a version's card; an empty text removes it. */
export function writeSection(model: string, version: number, title: string, text: string) {
  return read(
    api.PUT("/api/v1/models/{name}/versions/{version}/card/sections/{title}", {
      params: { path: { name: model, version: String(version), title } },
      body: { text },
    }),
  );
}
