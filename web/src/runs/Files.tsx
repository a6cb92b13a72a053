import type { FileEntry } from "@athanor/client";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { queries, readFile } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";
import { Loaded } from "../parts/Loaded";

const IMAGES: Readonly<Record<string, string>> = {
  gif: "image/gif",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  svg: "image/svg+xml",
  webp: "image/webp",
};
const TEXTS = new Set(["cfg", "csv", "json", "log", "md", "py", "sql", "toml", "tsv", "txt", "yaml", "yml", ""]);
const SHOWN = 100_000;

/** The files that a run keeps below a folder, and the one that is chosen. */
export function Files({ folder, project }: { folder: string; project: string }) {
  const { say, bytes } = useSpeech();
  const files = useQuery(queries.files(folder, project));
  const [chosen, choose] = useState<FileEntry | null>(null);
  return (
    <Loaded query={files} what={say("runs.files")}>
      {(found) =>
        found.length === 0 ? (
          <p className="none">{say("runs.files.none")}</p>
        ) : (
          <>
            <div className="table-scroll">
              <table>
                <thead>
                  <tr>
                    <th>{say("runs.files.file")}</th>
                    <th className="numeric">{say("runs.files.size")}</th>
                  </tr>
                </thead>
                <tbody>
                  {found.map((file) => {
                    const name = file.path.slice(folder.length + 1);
                    return (
                      <tr key={file.path}>
                        <td>
                          <button
                            type="button"
                            className="row-link"
                            aria-label={say("runs.files.show", { name })}
                            aria-expanded={file.path === chosen?.path}
                            onClick={() => choose(file.path === chosen?.path ? null : file)}
                          >
                            {name}
                          </button>
                        </td>
                        <td className="numeric">{bytes(file.size)}</td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
            {chosen !== null && <Shown key={chosen.path} file={chosen} project={project} />}
          </>
        )
      }
    </Loaded>
  );
}

/** A file: a picture or a text as it is, everything to be saved. */
function Shown({ file, project }: { file: FileEntry; project: string }) {
  const { say } = useSpeech();
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const ending = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "";
  const image = IMAGES[ending];
  const seen = image !== undefined || TEXTS.has(ending);
  const content = useQuery({
    queryKey: ["tracked", "file", project, file.path, file.digest],
    queryFn: () => readFile(file.path, project),
    enabled: seen,
    gcTime: 0,
  });
  const [failed, setFailed] = useState<Error | null>(null);
  const save = (): void => {
    readFile(file.path, project).then((blob) => saveAs(blob, name), setFailed);
  };
  return (
    <section className="shown-file" aria-label={name}>
      {!seen && <p className="none">{say("runs.files.unseen")}</p>}
      {seen && (
        <Loaded query={content} what={name}>
          {(blob) => (image === undefined ? <Text blob={blob} /> : <Picture blob={blob} type={image} name={name} />)}
        </Loaded>
      )}
      {failed !== null && <Failure what={name} error={failed} />}
      <Button size="sm" variant="default" onClick={save}>
        {say("runs.files.save")}
      </Button>
    </section>
  );
}

function Text({ blob }: { blob: Blob }) {
  const { say } = useSpeech();
  const [text, setText] = useState("");
  useEffect(() => {
    void blob.slice(0, SHOWN).text().then(setText);
  }, [blob]);
  return (
    <>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      {blob.size > SHOWN && <p className="none">{say("runs.files.cut")}</p>}
    </>
  );
}

/** As an image: what scripts an SVG may hold do not run. */
function Picture({ blob, type, name }: { blob: Blob; type: string; name: string }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([blob], { type }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, type]);
  return address === undefined ? null : <img src={address} alt={name} />;
}

function saveAs(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}
