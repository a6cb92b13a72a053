import { code } from "../code";
import type { Key } from "../i18n/en";

export interface Step {
  about: Key;
  go: Key;
  path: string;
  command: string | null;
  /** For the plural. */
  n: number;
  /** Whether the whole loop is offered as well, to those who have nothing yet. */
  demo: boolean;
}

/** The next step, from what exists: whoever follows it makes a loop. `train` is the line to train with. */
export function nextStep(counts: Readonly<Record<string, number>>, train: string): Step {
  const has = (name: string): boolean => (counts[name] ?? 0) > 0;
  const step = { n: 1, demo: false };
  if (has("alerts")) {
    return {
      ...step,
      n: counts["alerts"] ?? 1,
      about: "home.next.alert",
      go: "home.next.alert.go",
      path: "/monitoring",
      command: null,
    };
  }
  if (!has("datasets") && !has("models")) {
    return {
      ...step,
      demo: !has("runs"),
      about: "home.next.data",
      go: "home.next.data.go",
      path: "/data",
      command: code.addData,
    };
  }
  if (!has("models")) {
    return { ...step, about: "home.next.train", go: "home.next.train.go", path: "/train", command: train };
  }
  if (!has("endpoints")) {
    return {
      ...step,
      about: "home.next.deploy",
      go: "home.next.deploy.go",
      path: "/endpoints",
      command: code.deploy,
    };
  }
  return { ...step, about: "home.next.well", go: "home.next.well.go", path: "/monitoring", command: null };
}
