import { Button, Modal } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { useSpeech } from "../i18n/language";
import { Failure } from "./Failure";

/** An act that asks once, with what depends on it; then what it changed is read anew. */
export function Confirm({
  action,
  title,
  about,
  act,
  changes,
  quiet = false,
}: {
  action: string;
  title: string;
  about: string;
  act: () => Promise<unknown>;
  /** The first word of the queries' keys that are stale after it. */
  changes: string;
  /** Not the page's primary action. */
  quiet?: boolean;
}) {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState(false);
  const order = useMutation({
    mutationFn: act,
    onSuccess: () => {
      setAsking(false);
      return queryClient.invalidateQueries({ queryKey: [changes] });
    },
  });
  return (
    <>
      <Button variant={quiet ? "default" : "filled"} onClick={() => setAsking(true)}>
        {action}
      </Button>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title={title}
        closeButtonProps={{ "aria-label": say("common.cancel") }}
        lockScroll={false}
      >
        <p>{about}</p>
        {order.error !== null && <Failure what={action} error={order.error} />}
        <div className="choices">
          <Button loading={order.isPending} onClick={() => order.mutate()}>
            {action}
          </Button>
          <Button variant="default" onClick={() => setAsking(false)}>
            {say("common.cancel")}
          </Button>
        </div>
      </Modal>
    </>
  );
}
