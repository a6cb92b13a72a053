import { createBrowserRouter, type RouteObject } from "react-router";

import { Broken, NotFound } from "./shell/Lost";
import { Shell } from "./shell/Shell";

/** Every page's address; each room's script is loaded when it is first entered. */
const pages: RouteObject[] = [
  { index: true, lazy: async () => ({ Component: (await import("./home/HomePage")).HomePage }) },
  { path: "data", lazy: async () => ({ Component: (await import("./data/DatasetsPage")).DatasetsPage }) },
  { path: "data/:name", lazy: async () => ({ Component: (await import("./data/DatasetPage")).DatasetPage }) },
  { path: "sql", lazy: async () => ({ Component: (await import("./data/SqlPage")).SqlPage }) },
  { path: "features", lazy: async () => ({ Component: (await import("./features/FeaturesPage")).FeaturesPage }) },
  {
    path: "features/:name",
    lazy: async () => ({ Component: (await import("./features/FeatureViewPage")).FeatureViewPage }),
  },
  { path: "train", lazy: async () => ({ Component: (await import("./train/TrainPage")).TrainPage }) },
  { path: "runs", lazy: async () => ({ Component: (await import("./runs/RunsPage")).RunsPage }) },
  { path: "runs/:id", lazy: async () => ({ Component: (await import("./runs/RunPage")).RunPage }) },
  {
    path: "experiments",
    lazy: async () => ({ Component: (await import("./experiments/ExperimentsPage")).ExperimentsPage }),
  },
  {
    path: "experiments/:id",
    lazy: async () => ({ Component: (await import("./experiments/ExperimentPage")).ExperimentPage }),
  },
  { path: "compare", lazy: async () => ({ Component: (await import("./experiments/ComparePage")).ComparePage }) },
  {
    path: "pipelines",
    lazy: async () => ({ Component: (await import("./pipelines/PipelinesPage")).PipelinesPage }),
  },
  {
    path: "pipelines/:id",
    lazy: async () => ({ Component: (await import("./pipelines/PipelinePage")).PipelinePage }),
  },
  { path: "models", lazy: async () => ({ Component: (await import("./models/ModelsPage")).ModelsPage }) },
  { path: "models/:name", lazy: async () => ({ Component: (await import("./models/ModelPage")).ModelPage }) },
  {
    path: "approvals",
    lazy: async () => ({ Component: (await import("./approvals/ApprovalsPage")).ApprovalsPage }),
  },
  {
    path: "endpoints",
    lazy: async () => ({ Component: (await import("./endpoints/EndpointsPage")).EndpointsPage }),
  },
  {
    path: "endpoints/:name",
    lazy: async () => ({ Component: (await import("./endpoints/EndpointPage")).EndpointPage }),
  },
  {
    path: "monitoring",
    lazy: async () => ({ Component: (await import("./monitoring/MonitoringPage")).MonitoringPage }),
  },
  {
    path: "monitoring/alerts/:id",
    lazy: async () => ({ Component: (await import("./monitoring/AlertPage")).AlertPage }),
  },
  { path: "admin", lazy: async () => ({ Component: (await import("./admin/AdminPage")).AdminPage }) },
  { path: "*", Component: NotFound },
];

export const router = createBrowserRouter([
  {
    Component: Shell,
    ErrorBoundary: Broken,
    HydrateFallback: () => null,
    children: [{ ErrorBoundary: Broken, children: pages }],
  },
]);
