import { useSpeech } from "../i18n/language";
import { COLOURS } from "./scale";

export interface Bar {
  /** What it counts: a range of numbers or a value, in words. */
  name: string;
  count: number;
}

const WIDTH = 120;
const HEIGHT = 22;

/** How often what occurs, as bars side by side; read out as the most frequent of them. */
export function Distribution({ bars, of }: { bars: readonly Bar[]; of: string }) {
  const { say, number } = useSpeech();
  const first = bars[0];
  if (first === undefined) return null;
  const most = bars.reduce((best, bar) => (bar.count > best.count ? bar : best), first);
  const wide = WIDTH / bars.length;
  const label = say("data.distribution.most", { column: of, value: most.name, n: most.count });
  return (
    <svg width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {bars.map((bar, at) => {
        const tall = most.count === 0 ? 0 : Math.max(1, (bar.count / most.count) * HEIGHT);
        return (
          <rect
            key={bar.name}
            x={at * wide}
            y={HEIGHT - tall}
            width={Math.max(1, wide - 1)}
            height={tall}
            fill={COLOURS[0]}
          >
            <title>{`${bar.name}: ${number(bar.count)}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}
