import { expect, test } from "vitest";

import { apart, csv, extent, thinned, ticks } from "./scale";

test("ticks are round and inside", () => {
  expect(ticks(0, 1, 4)).toEqual([0, 0.5, 1]);
  expect(ticks(0.1, 0.35, 5)).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
  expect(ticks(-20, 70, 4)).toEqual([0, 50]);
  expect(ticks(3, 3, 4)).toEqual([3]);
});

test("a single value has room around it", () => {
  expect(extent([4])).toEqual([2, 6]);
  expect(extent([0])).toEqual([-1, 1]);
  expect(extent([])).toEqual([0, 1]);
});

test("thinning keeps what stands out", () => {
  const dots = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 5000 ? 99 : x % 2 }));
  const kept = thinned(dots, 400);
  expect(kept.length).toBeLessThanOrEqual(400);
  expect(Math.max(...kept.map((dot) => dot.y))).toBe(99);
  expect(kept.every((dot, at) => at === 0 || dot.x >= (kept[at - 1]?.x ?? 0))).toBe(true);
});

test("labels do not lie on each other, nor below the floor", () => {
  const placed = apart([50, 51, 52, 10], 12, 60);
  const sorted = [...placed].sort((a, b) => a - b);
  expect(sorted.every((at, n) => n === 0 || at - (sorted[n - 1] ?? 0) >= 12)).toBe(true);
  expect(Math.max(...placed)).toBeLessThanOrEqual(60);
});

test("the data leave as CSV", () => {
  const series = [
    { id: "a", name: 'one, "two"', dots: [{ x: 0, y: 1 }, { x: 2, y: 3 }] },
    { id: "b", name: "b", dots: [{ x: 1, y: 5 }] },
  ];
  expect(csv("step", series)).toBe('step,"one, ""two""",b\n0,1,\n1,,5\n2,3,\n');
});
