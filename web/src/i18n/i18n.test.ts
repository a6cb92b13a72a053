import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { en, type Key, type Message } from "./en";
import { ago, bytes, duration, number, short } from "./format";
import { fr } from "./fr";
import { message } from "./messages";

const keys = Object.keys(en) as Key[];

function placeholders(found: Message): string[] {
  const text = typeof found === "string" ? found : Object.values(found).join(" ");
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ""))].sort();
}

describe("the catalogues", () => {
  it("say the same things with the same values", () => {
    for (const key of keys) expect(placeholders(fr[key]), key).toEqual(placeholders(en[key]));
  });

  it("have no message that nobody says", () => {
    const source = sources().map(([, text]) => text).join("\n");
    const spoken = (key: string): boolean =>
      source.includes(`"${key}"`) ||
      // Keys made of a part and a value: `state.${state}`.
      source.includes(`\`${key.slice(0, key.lastIndexOf(".") + 1)}\${`) ||
      /^live\.\w+\.about$/.test(key);
    expect(keys.filter((key) => !spoken(key))).toEqual([]);
  });

  it("choose the plural of the language", () => {
    expect(message("en", "common.new", { n: 0 })).toBe("0 new");
    expect(message("en", "home.count.runs", { n: 0 })).toBe("runs");
    expect(message("fr", "home.count.runs", { n: 0 })).toBe("exécution");
    expect(message("fr", "common.new", { n: 2 })).toBe("2 nouveaux");
  });
});

describe("components", () => {
  it("hold no text of their own", () => {
    // Words between tags, or in an attribute that is read out or shown.
    const literal = />\s*[A-Za-z][A-Za-z ,.'’]*\s*<\/|(?:aria-label|title|placeholder|label)="[^"]+"/;
    const found = sources()
      .filter(([name]) => name.endsWith(".tsx"))
      .flatMap(([name, text]) =>
        text
          .split("\n")
          .filter((line) => literal.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line))
          .map((line) => `${name}: ${line.trim()}`),
      );
    expect(found).toEqual([]);
  });
});

describe("formats", () => {
  it("give sensible digits", () => {
    expect(number("en", 30381)).toBe("30,381");
    expect(number("en", 0.98765432)).toBe("0.9877");
    expect(number("en", 12345.678)).toBe("12,346");
    expect(number("en", 6.53e-11)).toBe("6.5E-11");
    expect(duration("en", 0.0012345)).toBe("1.23 ms");
    expect(duration("en", 0.1234)).toBe("0.12 sec");
    expect(duration("en", 250)).toBe("4 min 10 sec");
    expect(duration("en", 7500)).toBe("2 hr 5 min");
    expect(bytes("en", 310_000_000)).toBe("310 MB");
  });

  it("say how long ago", () => {
    const now = new Date("2026-01-10T12:00:00Z");
    expect(ago("en", new Date("2026-01-10T11:59:58Z"), now)).toBeNull();
    expect(ago("en", new Date("2026-01-10T11:55:00Z"), now)).toBe("5 minutes ago");
    expect(ago("fr", new Date("2026-01-09T12:00:00Z"), now)).toBe("hier");
  });

  it("shorten ids where neighbours differ", () => {
    expect(short("sha256:abcdef0123456789")).toBe("abcdef01");
    expect(short("0199a4b0c0de0000000000001234abcd")).toBe("1234abcd");
    expect(short("churn")).toBe("churn");
  });
});

function sources(): [string, string][] {
  const root = join(import.meta.dirname, "..");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !/\.test\.ts$|i18n\/(en|fr)\.ts$/.test(name))
    .map((name) => [name, readFileSync(join(root, name), "utf8")]);
}
