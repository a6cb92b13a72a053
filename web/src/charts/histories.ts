import type { Point } from "@athanor/client";

import type { Dot, Series } from "./scale";

/** A metric's points over their steps; what is not a number has no place on a chart. */
export function dotsOf(points: readonly Point[]): Dot[] {
  const numbers = points.filter((point): point is Point & { value: number } => typeof point.value === "number");
  const steps = new Set(numbers.map((point) => point.step));
  const byStep = steps.size > 1 || numbers.length === 1;
  return numbers
    .map((point, at) => ({ x: byStep ? point.step : at, y: point.value }))
    .sort((left, right) => left.x - right.x);
}

/** Whether there is anything to draw: a line needs two points. */
export function drawn(series: readonly Series[]): boolean {
  return series.some((one) => one.dots.length > 1);
}
