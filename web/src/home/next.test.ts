import { expect, it } from "vitest";

import { nextStep } from "./next";

it("leads round the loop", () => {
  expect(nextStep({}, "athanor train churn")).toMatchObject({ path: "/data", demo: true });
  expect(nextStep({ runs: 3 }, "athanor train churn")).toMatchObject({ path: "/data", demo: false });
  expect(nextStep({ datasets: 1 }, "athanor train churn").path).toBe("/train");
  expect(nextStep({ datasets: 1, models: 1 }, "athanor train churn").path).toBe("/endpoints");
  expect(nextStep({ datasets: 1, models: 1, endpoints: 1 }, "athanor train churn").about).toBe("home.next.well");
});

it("puts an open alert before everything else", () => {
  expect(nextStep({ alerts: 2 }, "athanor train churn")).toMatchObject({ path: "/monitoring", n: 2 });
});
