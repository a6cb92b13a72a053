export interface Dot {
  x: number;
  y: number;
}

export interface Series {
  id: string;
  name: string;
  dots: readonly Dot[];
}

/** Okabe-Ito: told apart by everybody, in light and dark. The same series has its colour everywhere. */
export const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8a8a", "#b8a800"];

export function colour(at: number): string {
  return COLOURS[at % COLOURS.length] ?? "#8a8a8a";
}

/** Least and greatest; a single value gets room around it. */
export function extent(values: readonly number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  if (low < high) return [low, high];
  const room = low === 0 ? 1 : Math.abs(low) / 2;
  return [low - room, high + room];
}

/** Round numbers from low to high, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((nice) => nice * power >= rough) ?? 10);
  const found: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at += 1) {
    found.push(Number((at * step).toPrecision(12)));
  }
  return found;
}

/** Few enough dots to draw: of each stretch its least and its greatest. */
export function thinned(dots: readonly Dot[], most: number): readonly Dot[] {
  if (dots.length <= most) return dots;
  const size = Math.ceil(dots.length / (most / 2));
  const kept: Dot[] = [];
  for (let from = 0; from < dots.length; from += size) {
    const part = dots.slice(from, from + size);
    const first = part[0];
    if (first === undefined) continue;
    let low = first;
    let high = first;
    for (const dot of part) {
      if (dot.y < low.y) low = dot;
      if (dot.y > high.y) high = dot;
    }
    kept.push(...(low === high ? [low] : low.x <= high.x ? [low, high] : [high, low]));
  }
  return kept;
}

/** Places at least `gap` apart, as near to the wanted ones as that allows. */
export function apart(wanted: readonly number[], gap: number, lowest: number): number[] {
  const order = wanted.map((_, at) => at).sort((left, right) => (wanted[left] ?? 0) - (wanted[right] ?? 0));
  const placed = [...wanted];
  let before = Number.NEGATIVE_INFINITY;
  for (const at of order) {
    before = Math.max(wanted[at] ?? 0, before + gap);
    placed[at] = before;
  }
  let after = lowest + gap;
  for (const at of order.reverse()) {
    after = Math.min(placed[at] ?? 0, after - gap);
    placed[at] = after;
  }
  return placed;
}

export function csv(x: string, series: readonly Series[]): string {
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const steps = [...new Set(series.flatMap((one) => one.dots.map((dot) => dot.x)))].sort((a, b) => a - b);
  const columns = series.map((one) => new Map(one.dots.map((dot) => [dot.x, dot.y])));
  const lines = steps.map((step) => [step, ...columns.map((column) => column.get(step) ?? "")].join(","));
  return [[x, ...series.map((one) => one.name)].map(quoted).join(","), ...lines].join("\n") + "\n";
}
