import { expect, test } from "vitest";

import { blocks } from "./Markdown";

test("a text falls into its blocks", () => {
  const text = "# A\n\n## B\nwords\nmore\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx\n\n# y\n```\n";
  expect(blocks(text)).toEqual([
    ["# A"],
    ["## B"],
    ["words", "more"],
    ["| a | b |", "|---|---|", "| 1 | 2 |"],
    ["```", "x", "", "# y", "```"],
  ]);
});
