import { useElementSize } from "@mantine/hooks";
import { useId, useRef, useState, type PointerEvent } from "react";

import { useSpeech } from "../i18n/language";
import { apart, colour, csv, extent, thinned, ticks, type Dot, type Series } from "./scale";

/** Before the place is measured. */
const WIDTH = 560;
const HEIGHT = 240;
const TOP = 12;
const LEFT = 58;
const BOTTOM = 34;
const LABELS = 132;
const NARROW = 440;
const LEAST_WIDTH = 200;
const DIRECT = 4;
const DRAWN = 800;
const LEAST_DRAG = 8;

/** Lines over steps: zoom by a drag, names at the lines' ends, data and picture to take along. */
export function LineChart({ title, series }: { title: string; series: readonly Series[] }) {
  const { say, number } = useSpeech();
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const drawing = useRef<SVGSVGElement>(null);
  const place = useElementSize();
  const width = place.width === 0 ? WIDTH : Math.max(LEAST_WIDTH, place.width);
  const clip = useId();
  // One line is named by the page; on a narrow screen names at the ends would take half of it.
  const direct = series.length > 1 && series.length <= DIRECT && width >= NARROW;
  const right = width - (direct ? LABELS : 12);
  const seen = series.map((one) => ({ ...one, dots: zoom === null ? one.dots : inside(one.dots, zoom) }));
  const [fromX, toX] = zoom ?? extent(seen.flatMap((one) => one.dots.map((dot) => dot.x)));
  const [fromY, toY] = extent(seen.flatMap((one) => one.dots.map((dot) => dot.y)));
  const x = (value: number): number => LEFT + ((value - fromX) / (toX - fromX)) * (right - LEFT);
  const y = (value: number): number => HEIGHT - BOTTOM - ((value - fromY) / (toY - fromY)) * (HEIGHT - BOTTOM - TOP);
  const drag = useDrag(width, (from, to) => {
    const step = (at: number): number => fromX + ((at - LEFT) / (right - LEFT)) * (toX - fromX);
    setZoom([step(Math.max(from, LEFT)), step(Math.min(to, right))]);
  });
  const lines = seen.map((one, at) => ({ ...one, at, last: one.dots.at(-1) })).filter((one) => one.last !== undefined);
  const named = apart(lines.map((one) => y(one.last?.y ?? 0)), 14, HEIGHT - BOTTOM);
  const sentence = useSentence(title, seen);
  return (
    <figure className="chart">
      <figcaption>
        <h3>{title}</h3>
        <p>{sentence}</p>
      </figcaption>
      <div ref={place.ref}>
        <svg ref={drawing} viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label={`${title}. ${sentence}`} {...drag.handlers}>
          <clipPath id={clip}>
            <rect x={LEFT} y={TOP - 4} width={right - LEFT} height={HEIGHT - BOTTOM - TOP + 8} />
          </clipPath>
          {ticks(fromY, toY, 5).map((tick) => (
            <g key={tick}>
              <line x1={LEFT} x2={right} y1={y(tick)} y2={y(tick)} stroke="currentColor" strokeOpacity={0.14} />
              <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end" fontSize={12} fill="currentColor">
                {number(tick)}
              </text>
            </g>
          ))}
          {ticks(fromX, toX, Math.max(2, Math.round((right - LEFT) / 80))).map((tick) => (
            <text key={tick} x={x(tick)} y={HEIGHT - BOTTOM + 16} textAnchor="middle" fontSize={12} fill="currentColor">
              {number(tick)}
            </text>
          ))}
          <text x={right} y={HEIGHT - 3} textAnchor="end" fontSize={12} fill="currentColor">
            {say("chart.step")}
          </text>
          <g clipPath={`url(#${clip})`}>
            {lines.map((one) => (
              <path key={one.id} d={line(one.dots, x, y)} fill="none" stroke={colour(one.at)} strokeWidth={2} strokeLinejoin="round" />
            ))}
          </g>
          {lines.map((one, row) => (
            <g key={one.id}>
              <circle cx={x(one.last?.x ?? 0)} cy={y(one.last?.y ?? 0)} r={3.5} fill={colour(one.at)} />
              {direct && (
                <text x={right + 10} y={(named[row] ?? 0) + 4} fontSize={12} fill="currentColor">
                  <tspan fill={colour(one.at)}>{"● "}</tspan>
                  {one.name.length > 16 ? `${one.name.slice(0, 15)}…` : one.name}
                  <title>{one.name}</title>
                </text>
              )}
            </g>
          ))}
          {drag.span !== null && (
            <rect x={drag.span[0]} y={TOP} width={drag.span[1] - drag.span[0]} height={HEIGHT - BOTTOM - TOP} fill="currentColor" fillOpacity={0.12} />
          )}
        </svg>
      </div>
      {!direct && series.length > 1 && (
        <ul className="legend">
          {series.map((one, at) => (
            <li key={one.id}>
              <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
                <circle cx="5" cy="5" r="5" fill={colour(at)} />
              </svg>
              {one.name}
            </li>
          ))}
        </ul>
      )}
      <div className="chart-tools">
        {zoom !== null && (
          <button type="button" className="plain" onClick={() => setZoom(null)}>
            {say("chart.whole")}
          </button>
        )}
        <button type="button" className="plain" onClick={() => save(`${title}.csv`, "text/csv", csv("step", series))}>
          {say("chart.csv")}
        </button>
        <button type="button" className="plain" onClick={() => save(`${title}.svg`, "image/svg+xml", picture(drawing.current))}>
          {say("chart.svg")}
        </button>
      </div>
    </figure>
  );
}

/** What the chart shows, in one sentence. */
function useSentence(title: string, series: readonly Series[]): string {
  const { say, number } = useSpeech();
  const ends = series
    .flatMap((one) => {
      const last = one.dots.at(-1);
      return last === undefined ? [] : [{ name: one.name, from: one.dots[0]?.y ?? last.y, to: last.y }];
    })
    .sort((left, right) => right.to - left.to);
  const [highest, lowest] = [ends[0], ends.at(-1)];
  if (highest === undefined || lowest === undefined) return say("chart.none", { title });
  if (ends.length === 1) return say("chart.one", { from: number(highest.from), to: number(highest.to) });
  return say("chart.many", {
    high: highest.name,
    highest: number(highest.to),
    low: lowest.name,
    lowest: number(lowest.to),
  });
}

function useDrag(width: number, done: (from: number, to: number) => void) {
  const [span, setSpan] = useState<readonly [number, number] | null>(null);
  const begun = useRef<number | null>(null);
  const at = (event: PointerEvent<SVGSVGElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * width;
  };
  const stretch = (event: PointerEvent<SVGSVGElement>): readonly [number, number] | null => {
    if (begun.current === null) return null;
    const here = at(event);
    return [Math.min(begun.current, here), Math.max(begun.current, here)];
  };
  return {
    span,
    handlers: {
      onPointerDown: (event: PointerEvent<SVGSVGElement>) => {
        begun.current = at(event);
      },
      onPointerMove: (event: PointerEvent<SVGSVGElement>) => setSpan(stretch(event)),
      onPointerUp: (event: PointerEvent<SVGSVGElement>) => {
        const found = stretch(event);
        begun.current = null;
        setSpan(null);
        if (found !== null && found[1] - found[0] > LEAST_DRAG) done(...found);
      },
      onPointerLeave: () => {
        begun.current = null;
        setSpan(null);
      },
    },
  };
}

function inside(dots: readonly Dot[], [from, to]: readonly [number, number]): Dot[] {
  return dots.filter((dot) => dot.x >= from && dot.x <= to);
}

function line(dots: readonly Dot[], x: (value: number) => number, y: (value: number) => number): string {
  return thinned(dots, DRAWN)
    .map((dot, at) => `${at === 0 ? "M" : "L"}${x(dot.x).toFixed(1)} ${y(dot.y).toFixed(1)}`)
    .join("");
}

function picture(drawing: SVGSVGElement | null): string {
  if (drawing === null) return "";
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("font-family", "sans-serif");
  return new XMLSerializer().serializeToString(copy);
}

function save(name: string, type: string, content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
