import { expect, it } from "vitest";

import { StaleKeys, staleAfter } from "./stale";

it("knows what each room's events make stale, and the counts always", () => {
  expect(staleAfter("data.version.created")).toContain("datasets");
  expect(staleAfter("registry.alias.moved")).toContain("models");
  expect(staleAfter("serving.canary.refused")).toContain("endpoints");
  expect(staleAfter("monitoring.alert.raised")).toContain("alerts");
  expect(staleAfter("pipelines.task.finished")).toContain("runs");
  expect(staleAfter("somewhere.else.happened")).toEqual(["status"]);
  expect(staleAfter("")).toEqual(["status"]);
});

it("refreshes once for a storm, and once more for what came meanwhile", async () => {
  const rounds: string[][] = [];
  let answer = (): void => undefined;
  const stale = new StaleKeys((keys) => {
    rounds.push([...keys].sort());
    return new Promise<void>((resolve) => {
      answer = resolve;
    });
  }, 1);
  const soon = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 20));
  for (let n = 0; n < 100; n += 1) stale.add(["runs", "status"]);
  await soon();
  expect(rounds).toEqual([["runs", "status"]]);
  stale.add(["models"]);
  stale.add(["alerts"]);
  await soon();
  expect(rounds).toHaveLength(1);
  answer();
  await soon();
  expect(rounds).toEqual([["runs", "status"], ["alerts", "models"]]);
});
