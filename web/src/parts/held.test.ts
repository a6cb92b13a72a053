import { expect, it } from "vitest";

import { admit } from "./held";

it("shows the first rows at once, and holds back those that come later", () => {
  const empty = admit(null, "", []);
  const first = admit(empty, "", ["a"]);
  expect([...first.seen]).toEqual(["a"]);
  expect(admit(first, "", ["b", "a"])).toBe(first);
});

it("starts afresh with another question", () => {
  const first = admit(null, "running", ["a"]);
  expect([...admit(first, "failed", ["b", "c"]).seen]).toEqual(["b", "c"]);
});
