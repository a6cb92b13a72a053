import { FrameParser } from "@athanor/client";
import { describe, expect, it } from "vitest";

const STREAM =
  'retry: 1000\n: open\n\nid: 7\nevent: lineage.run.started\ndata: {"seq":7}\n\n: alive\n\n' +
  'id: 9\r\nevent: data.version.created\r\ndata: {"a":\r\ndata: "é"}\r\n\r\n';
const EVENTS = [
  { seq: 7, action: "lineage.run.started", data: { seq: 7 } },
  { seq: 9, action: "data.version.created", data: { a: "é" } },
];

describe("the event stream", () => {
  it("gives the same events wherever the network cuts it", () => {
    for (let cut = 0; cut <= STREAM.length; cut += 1) {
      const parser = new FrameParser();
      const told = [...parser.push(STREAM.slice(0, cut)), ...parser.push(STREAM.slice(cut))];
      expect(told).toEqual(EVENTS);
    }
  });

  it("keeps an unfinished event back", () => {
    const parser = new FrameParser();
    expect(parser.push("id: 1\nevent: a.b\ndata: {}\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ seq: 1, action: "a.b", data: {} }]);
  });
});
