import { expect, test } from "vitest";

import { keysOf, namesOf, orderOf } from "./runsOf";

function run(id: string, name: string, params: Record<string, string>) {
  const told = { experiment: "1", user: "", started_at: "", artifact_uri: "" };
  return { info: { id, name, ...told, state: "done", lifecycle: "active" } as const, params };
}

test("runs that are called alike are told apart", () => {
  const runs = [run("0".repeat(31) + "1", "a", {}), run("0".repeat(31) + "2", "a", {}), run("x", "b", {})];
  expect(namesOf(runs).map((one) => one.name)).toEqual(["a 000001", "a 000002", "b"]);
});

test("what differs comes first", () => {
  expect(keysOf([run("1", "a", { a: "1", z: "1" }), run("2", "b", { a: "1", z: "2" })], "params")).toEqual(["z", "a"]);
});

test.each([
  ["-metrics.val acc", "metrics.`val acc` DESC"],
  ["params.depth", "params.`depth` ASC"],
  ["-started", "attributes.start_time DESC"],
  ["took", ""],
  ["", ""],
])("%s is ordered by %s", (sort, order) => {
  expect(orderOf(sort)).toBe(order);
});
