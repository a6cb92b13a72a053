import { Button, Checkbox, Modal, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { deploy, queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";

/** What a canary begins with. */
const TENTH = 0.1;

/** Puts a version behind an endpoint, which is made if it is not there. */
export function Deploying({ model, version }: { model: string; version: number }) {
  const { say } = useSpeech();
  const [asking, setAsking] = useState(false);
  const close = (): void => setAsking(false);
  return (
    <>
      <Button onClick={() => setAsking(true)}>{say("deploy.action")}</Button>
      <Modal
        opened={asking}
        onClose={close}
        title={say("deploy.title", { version: `${model}@${version}` })}
        closeButtonProps={{ "aria-label": say("common.cancel") }}
        lockScroll={false}
      >
        <Order model={model} version={version} close={close} />
      </Modal>
    </>
  );
}

function Order({ model, version, close }: { model: string; version: number; close: () => void }) {
  const { say } = useSpeech();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const known = useQuery(queries.endpoints()).data ?? [];
  const [name, setName] = useState(model);
  const [judged, setJudged] = useState(true);
  // Only where another version answers is there one to judge it by.
  const taken = known.some((one) => one.name === name && (one.deployments ?? []).some((each) => each.state === "live"));
  const order = useMutation({
    mutationFn: () => deploy(name, `${model}@${version}`, taken && judged ? TENTH : null),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ["endpoints"] });
      return navigate(`/endpoints/${encodeURIComponent(name)}`);
    },
  });
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        order.mutate();
      }}
    >
      <TextInput
        label={say("deploy.endpoint")}
        description={taken ? say("deploy.taken") : say("deploy.new")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {taken && (
        <Checkbox
          label={say("deploy.canary")}
          description={say("deploy.canary.about")}
          checked={judged}
          onChange={(event) => setJudged(event.currentTarget.checked)}
        />
      )}
      {order.error !== null && <Failure what={say("deploy.action")} error={order.error} />}
      <div className="choices">
        <Button type="submit" loading={order.isPending} disabled={name.trim() === ""}>
          {say("deploy.action")}
        </Button>
        <Button variant="default" onClick={close}>
          {say("common.cancel")}
        </Button>
      </div>
    </form>
  );
}
