import type { Key } from "../i18n/en";
import type { IconName } from "../parts/Icon";

export interface Room {
  path: string;
  title: Key;
  icon: IconName;
  /** Which of the status's counts stands beside it. */
  count?: string;
  /** A part of the room above it. */
  part?: boolean;
}

/** The life cycle, in order: who follows it downwards has made a loop. */
export const rooms: readonly Room[] = [
  { path: "/", title: "room.home", icon: "home" },
  { path: "/data", title: "room.data", icon: "data", count: "datasets" },
  { path: "/sql", title: "room.sql", icon: "sql", part: true },
  { path: "/features", title: "room.features", icon: "features" },
  { path: "/train", title: "room.train", icon: "train" },
  { path: "/runs", title: "room.runs", icon: "runs", count: "runs" },
  { path: "/experiments", title: "room.experiments", icon: "experiments", part: true },
  { path: "/pipelines", title: "room.pipelines", icon: "pipelines", count: "pipelines" },
  { path: "/models", title: "room.models", icon: "models", count: "models" },
  { path: "/approvals", title: "room.approvals", icon: "check", part: true },
  { path: "/endpoints", title: "room.endpoints", icon: "endpoints", count: "endpoints" },
  { path: "/monitoring", title: "room.monitoring", icon: "monitoring", count: "alerts" },
  { path: "/admin", title: "room.admin", icon: "admin" },
];
