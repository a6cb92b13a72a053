import { Fragment, type ReactNode } from "react";

/** Markdown as far as our own cards use it. Nothing in it is HTML: what looks like it is text. */
export function Markdown({ text }: { text: string }) {
  return <div className="markdown">{blocks(text).map((block, at) => <Fragment key={at}>{shown(block)}</Fragment>)}</div>;
}

/** Paragraphs, headings, lists, tables and fenced lines, each with its lines. */
export function blocks(text: string): string[][] {
  const found: string[][] = [];
  let open: string[] = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    const heading = /^#{1,6}\s/.test(line);
    if (!fenced && (line.trim() === "" || heading)) {
      if (open.length > 0) found.push(open);
      open = [];
      if (heading) found.push([line]);
    } else {
      open.push(line);
    }
  }
  return open.length > 0 ? [...found, open] : found;
}

function shown(lines: readonly string[]): ReactNode {
  const first = lines[0] ?? "";
  const [, marks = "", title = ""] = /^(#{1,6})\s+(.*)$/.exec(first) ?? [];
  if (marks !== "") return marks.length <= 2 ? <h3>{spans(title)}</h3> : <h4>{spans(title)}</h4>;
  if (first.startsWith("```")) {
    return (
      <pre tabIndex={0}>
        <code>{lines.filter((line) => !line.startsWith("```")).join("\n")}</code>
      </pre>
    );
  }
  if (first.startsWith("|") && /^\|[\s:|-]+\|?$/.test(lines[1] ?? "")) return <Table lines={lines} />;
  if (lines.every((line) => /^\s*([-*]|\d+\.)\s/.test(line) || /^\s{2,}/.test(line))) {
    return (
      <ul>
        {lines.map((line, at) => (
          <li key={at}>{spans(line.replace(/^\s*([-*]|\d+\.)\s+/, ""))}</li>
        ))}
      </ul>
    );
  }
  return <p>{spans(lines.join("\n"))}</p>;
}

function Table({ lines }: { lines: readonly string[] }) {
  const cells = (line: string): string[] =>
    line
      .replace(/^\||\|\s*$/g, "")
      .split(/(?<!\\)\|/)
      .map((cell) => cell.replaceAll("\\|", "|").trim());
  const [head = "", , ...body] = lines;
  return (
    <div className="table-scroll">
      <table>
        <thead>
          <tr>
            {cells(head).map((cell, at) => (
              <th key={at} scope="col">
                {spans(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((line, at) => (
            <tr key={at}>
              {cells(line).map((cell, place) => (
                <td key={place}>{spans(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** `code`, **bold**; a link's words stand without the link; a backslash is for the mark behind it. */
function spans(text: string): ReactNode[] {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part, at) => {
    if (part.startsWith("`") && part.length > 1) return <code key={at}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**") && part.length > 4) return <strong key={at}>{plain(part.slice(2, -2))}</strong>;
    return plain(part);
  });
}

function plain(text: string): string {
  return text.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").replace(/\\([\\`*_{}[\]()#+.!|<>~-])/g, "$1");
}
