import type { Dataset } from "@athanor/client";
import { Button, FileInput, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { addFile } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";

const READ = ".csv,.tsv,.txt,.parquet,.json,.jsonl,.ndjson,.arrow,.feather,.gz,.zip,.tar";

/** Takes a file of the reader's as a dataset's first version, or as the next of one that is there. */
export function Adding({ dataset }: { dataset?: Dataset }) {
  const { say } = useSpeech();
  const [asking, setAsking] = useState(false);
  const close = (): void => setAsking(false);
  const action = say(dataset === undefined ? "data.add" : "data.addVersion");
  return (
    <>
      <Button variant={dataset === undefined ? "filled" : "default"} onClick={() => setAsking(true)}>
        {action}
      </Button>
      <Modal
        opened={asking}
        onClose={close}
        title={action}
        closeButtonProps={{ "aria-label": say("common.cancel") }}
        lockScroll={false}
      >
        <Order {...(dataset === undefined ? {} : { dataset })} close={close} />
      </Modal>
    </>
  );
}

function Order({ dataset, close }: { dataset?: Dataset; close: () => void }) {
  const { say } = useSpeech();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState(dataset?.name ?? "");
  const [target, setTarget] = useState(dataset?.roles.target ?? "");
  const [mode, setMode] = useState<"replace" | "append">("replace");
  const order = useMutation({
    mutationFn: (chosen: File) => addFile(name, chosen, target, mode),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ["datasets"] });
      close();
      return navigate(`/data/${encodeURIComponent(name)}`);
    },
  });
  const choose = (chosen: File | null): void => {
    setFile(chosen);
    if (name === "" && chosen !== null) setName(named(chosen));
  };
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        if (file !== null) order.mutate(file);
      }}
    >
      <FileInput
        label={say("data.file")}
        description={say("data.file.about")}
        placeholder={say("data.file.choose")}
        accept={READ}
        value={file}
        onChange={choose}
      />
      {dataset === undefined ? (
        <>
          <TextInput label={say("common.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <TextInput
            label={say("train.target")}
            description={say("data.target.about")}
            value={target}
            onChange={(event) => setTarget(event.currentTarget.value)}
          />
        </>
      ) : (
        <NativeSelect
          label={say("data.mode")}
          data={[
            { value: "replace", label: say("data.mode.replace") },
            { value: "append", label: say("data.mode.append") },
          ]}
          value={mode}
          onChange={(event) => setMode(event.currentTarget.value === "append" ? "append" : "replace")}
        />
      )}
      {order.error !== null && <Failure what={say("data.file")} error={order.error} />}
      <div className="choices">
        <Button type="submit" loading={order.isPending} disabled={file === null || name.trim() === ""}>
          {say("data.add.go")}
        </Button>
        <Button variant="default" onClick={close}>
          {say("common.cancel")}
        </Button>
      </div>
    </form>
  );
}

/** What a file's table may be called. */
function named(file: File): string {
  return file.name.replace(/\..*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "_");
}
