import type { Language } from "./messages";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Four significant digits, thousands separated; whole parts stay whole. */
export function number(language: Language, value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString(language);
  if (Math.abs(value) >= 1000) return value.toLocaleString(language, { maximumFractionDigits: 0 });
  if (Math.abs(value) < 1e-4) {
    return value.toLocaleString(language, { notation: "scientific", maximumSignificantDigits: 2 });
  }
  return value.toLocaleString(language, { maximumSignificantDigits: 4 });
}

export function percent(language: Language, share: number): string {
  return share.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 });
}

/** Seconds as people say them: 1.25 ms, 12.3 s, 4 min 10 s, 2 h 5 min. */
export function duration(language: Language, seconds: number): string {
  const unit = (value: number, name: "millisecond" | "second" | "minute" | "hour", digits = 0): string =>
    value.toLocaleString(language, {
      style: "unit",
      unit: name,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    });
  if (seconds > 0 && seconds < 0.1) return unit(seconds * 1000, "millisecond", seconds < 0.01 ? 2 : 1);
  if (seconds < MINUTE) return unit(seconds, "second", seconds < 10 ? 2 : 1);
  const whole = Math.round(seconds);
  if (whole < HOUR) {
    return `${unit(Math.floor(whole / MINUTE), "minute")} ${unit(whole % MINUTE, "second")}`;
  }
  return `${unit(Math.floor(whole / HOUR), "hour")} ${unit(Math.floor((whole % HOUR) / MINUTE), "minute")}`;
}

/** Bytes in decimal units: 310 MB. */
export function bytes(language: Language, value: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let left = value;
  let at = 0;
  while (left >= 1000 && at < units.length - 1) {
    left /= 1000;
    at += 1;
  }
  return left.toLocaleString(language, {
    style: "unit",
    unit: units[at] ?? "byte",
    unitDisplay: "short",
    maximumSignificantDigits: 3,
  });
}

/** How long ago, in the largest unit that says it: 5 minutes ago, yesterday. */
export function ago(language: Language, at: Date, now: Date): string | null {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return null;
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  if (size < MINUTE) return format.format(Math.round(seconds), "second");
  if (size < HOUR) return format.format(Math.round(seconds / MINUTE), "minute");
  if (size < DAY) return format.format(Math.round(seconds / HOUR), "hour");
  if (size < 30 * DAY) return format.format(Math.round(seconds / DAY), "day");
  if (size < 365 * DAY) return format.format(Math.round(seconds / (30 * DAY)), "month");
  return format.format(Math.round(seconds / (365 * DAY)), "year");
}

/** The moment in full, in the reader's zone. */
export function moment(language: Language, at: Date): string {
  return at.toLocaleString(language, { dateStyle: "full", timeStyle: "long" });
}

/** An id's or a digest's first characters, enough to tell neighbours apart. */
export function short(id: string): string {
  const bare = id.startsWith("sha256:") ? id.slice("sha256:".length) : id;
  // Ids begin with the time: those of one minute differ only towards the end.
  return bare.length <= 10 ? bare : id.startsWith("sha256:") ? bare.slice(0, 8) : bare.slice(-8);
}
