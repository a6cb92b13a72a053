import { expect, it } from "vitest";

import { nextStep } from "./next";

it("leads round the loop", () => {
  expect(nextStep({})).toMatchObject({ path: "/data", demo: true });
  expect(nextStep({ runs: 3 })).toMatchObject({ path: "/data", demo: false });
  expect(nextStep({ datasets: 1 }).path).toBe("/train");
  expect(nextStep({ datasets: 1, models: 1 }).path).toBe("/endpoints");
  expect(nextStep({ datasets: 1, models: 1, endpoints: 1 }).about).toBe("home.next.well");
});

it("puts an open alert before everything else", () => {
  expect(nextStep({ alerts: 2 })).toMatchObject({ path: "/monitoring", n: 2 });
});
