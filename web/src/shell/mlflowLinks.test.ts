import { expect, test } from "vitest";

import { fromMlflow } from "./mlflowLinks";

const ID = "0123456789abcdef0123456789abcdef";

test.each([
  [`#/experiments/1/runs/${ID}`, `/runs/${ID}`],
  [`#/experiments/1/runs/${ID}/artifacts`, `/runs/${ID}`],
  ["#/experiments/7", "/experiments/7"],
  ["#/experiments/7?searchFilter=", "/experiments/7"],
  ["#/experiments", "/experiments"],
  [`#/compare-runs?runs=["${ID}","${ID}"]&experiments=["7"]`, `/compare?run=${ID}&run=${ID}`],
  ["#/models/churn/versions/3", "/models/churn?version=3"],
  ["#/models/churn", "/models/churn"],
  ["#/models", "/models"],
  ["#content", null],
  ["", null],
])("%s leads to %s", (hash, path) => {
  expect(fromMlflow(hash)).toBe(path);
});
