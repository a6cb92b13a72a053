import type { RunWithData } from "@athanor/client";
import { useMemo, useState } from "react";

import { useSpeech } from "../i18n/language";
import { keysOf } from "./runsOf";

const FIRST = 4;

interface Choice {
  all: readonly string[];
  shown: readonly string[];
  toggle: (name: string) => void;
}

/** Which parameters and metrics have a column: a few that differ, or what the reader chose here before. */
export function useColumns(experiment: string, runs: readonly RunWithData[]): Choice {
  const place = `athanor-columns-${experiment}`;
  const [chosen, setChosen] = useState<readonly string[] | null>(() => remembered(place));
  const params = keysOf(runs, "params").map((key) => `params.${key}`);
  const metrics = keysOf(runs, "metrics").map((key) => `metrics.${key}`);
  const names = [...metrics, ...params].join("\n");
  const all = useMemo(() => names.split("\n").filter(Boolean), [names]);
  const offered = [...metrics.slice(0, FIRST), ...params.slice(0, FIRST)].join("\n");
  const shown = useMemo(
    () => (chosen === null ? offered.split("\n").filter(Boolean) : all.filter((name) => chosen.includes(name))),
    [chosen, offered, all],
  );
  const toggle = (name: string): void => {
    const next = shown.includes(name) ? shown.filter((one) => one !== name) : [...shown, name];
    setChosen(next);
    localStorage.setItem(place, JSON.stringify(next));
  };
  return { all, shown, toggle };
}

export function ColumnChoice({ all, shown, toggle }: Choice) {
  const { say } = useSpeech();
  if (all.length === 0) return null;
  return (
    <details className="columns">
      <summary>{say("experiments.columns", { n: shown.length, all: all.length })}</summary>
      <ul>
        {all.map((name) => (
          <li key={name}>
            <label>
              <input type="checkbox" checked={shown.includes(name)} onChange={() => toggle(name)} /> {name}
            </label>
          </li>
        ))}
      </ul>
    </details>
  );
}

function remembered(place: string): readonly string[] | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(place) ?? "null");
    return Array.isArray(found) ? found.map(String) : null;
  } catch {
    return null;
  }
}
