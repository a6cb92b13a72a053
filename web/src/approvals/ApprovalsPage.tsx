import type { ApprovalRequest } from "@athanor/client";
import { Button, Modal, Textarea } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "react-router";

import { decide, queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { Verdicts } from "../models/Verdicts";
import { ShowCode } from "../parts/Command";
import { DataTable, type Column } from "../parts/DataTable";
import { Empty } from "../parts/Empty";
import { Facts } from "../parts/Facts";
import { Failure } from "../parts/Failure";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";

/** Versions that wait for people's word before an alias moves to them, and what was decided. */
export function ApprovalsPage() {
  const { say } = useSpeech();
  const requests = useQuery(queries.approvals(null));
  return (
    <Page title={say("approvals.title")} about={say("approvals.about")}>
      <Loaded query={requests} what={say("approvals.title")} lines={6}>
        {(found) => <Requests requests={found} />}
      </Loaded>
      <ShowCode {...code.approvals()} />
    </Page>
  );
}

function Requests({ requests }: { requests: readonly ApprovalRequest[] }) {
  const { say } = useSpeech();
  const open = requests.filter((request) => request.state === "open");
  const decided = requests.filter((request) => request.state !== "open");
  if (requests.length === 0) {
    return (
      <Empty title={say("approvals.empty.title")} about={say("approvals.empty.about")} command={code.protectAlias} />
    );
  }
  return (
    <>
      <section aria-labelledby="waiting" className="requests">
        <h2 id="waiting">{say("approvals.waiting", { n: open.length })}</h2>
        {open.map((request) => (
          <Waiting key={request.id} request={request} />
        ))}
      </section>
      {decided.length > 0 && (
        <section aria-labelledby="decided">
          <h2 id="decided">{say("approvals.decided")}</h2>
          <Decided requests={decided} />
        </section>
      )}
    </>
  );
}

/** `churn@3` becomes champion instead of version 2. */
function useMove(request: ApprovalRequest): string {
  const { say } = useSpeech();
  const values = { version: `${request.model}@${request.number}`, alias: request.alias };
  return request.holder == null
    ? say("approvals.first", values)
    : say("approvals.move", { ...values, holder: request.holder });
}

function Waiting({ request }: { request: ApprovalRequest }) {
  const { say } = useSpeech();
  const judgements = useQuery(queries.judgements(request.model, request.number));
  const judgement = judgements.data?.find((one) => one.id === request.judgement);
  const move = useMove(request);
  const given = request.approvals ?? [];
  return (
    <article className="request" aria-label={move}>
      <div className="section-head">
        <h3>
          <Link to={`/models/${encodeURIComponent(request.model)}?version=${request.number}&part=card`}>{move}</Link>
        </h3>
        <Decision request={request} />
      </div>
      <Facts
        facts={[
          [
            say("approvals.asked"),
            <span key="asked">
              {request.asked_by}, <When at={request.asked_at} />
            </span>,
          ],
          ...(request.reason ? [[say("endpoints.reason"), request.reason] as const] : []),
          [
            say("approvals.given"),
            say("approvals.count", { n: given.length, needed: request.needed ?? 1 }) +
              (given.length > 0 ? ` (${given.map((one) => one.who).join(", ")})` : ""),
          ],
        ]}
      />
      <Loaded query={judgements} what={say("gates.title")} lines={2}>
        {() =>
          judgement === undefined ? (
            <p className="none">{say("gates.none")}</p>
          ) : (
            <Verdicts judgement={judgement} label={say("gates.of", { n: request.number, alias: request.alias })} />
          )
        }
      </Loaded>
    </article>
  );
}

/** Approve or refuse: asks once, with a reason that is kept. */
function Decision({ request }: { request: ApprovalRequest }) {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState<"approve" | "reject" | null>(null);
  const [reason, setReason] = useState("");
  const move = useMove(request);
  const decision = useMutation({
    mutationFn: () => decide(request.id, asking === "approve", reason),
    onSuccess: () => {
      setAsking(null);
      return queryClient.invalidateQueries({ queryKey: ["approvals"] });
    },
  });
  const ask = (way: "approve" | "reject"): void => {
    decision.reset();
    setReason("");
    setAsking(way);
  };
  const wanted = asking === "reject";
  return (
    <div className="choices">
      <Button size="sm" onClick={() => ask("approve")}>
        {say("approvals.approve")}
      </Button>
      <Button size="sm" variant="default" onClick={() => ask("reject")}>
        {say("approvals.reject")}
      </Button>
      <Modal
        opened={asking !== null}
        onClose={() => setAsking(null)}
        title={wanted ? say("approvals.reject.title") : say("approvals.approve.title")}
        closeButtonProps={{ "aria-label": say("common.cancel") }}
        lockScroll={false}
      >
        <form
          className="editor"
          onSubmit={(event) => {
            event.preventDefault();
            decision.mutate();
          }}
        >
          <p>{move}</p>
          <Textarea
            label={say("approvals.reason")}
            description={wanted ? say("approvals.reason.wanted") : undefined}
            rows={3}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          {decision.error !== null && <Failure what={say("approvals.title")} error={decision.error} />}
          <div className="choices">
            <Button type="submit" loading={decision.isPending} disabled={wanted && reason.trim() === ""}>
              {wanted ? say("approvals.reject") : say("approvals.approve")}
            </Button>
            <Button variant="default" onClick={() => setAsking(null)}>
              {say("common.cancel")}
            </Button>
          </div>
        </form>
      </Modal>
    </div>
  );
}

const idOf = (request: ApprovalRequest): string => request.id;
const hrefOf = (request: ApprovalRequest): string =>
  `/models/${encodeURIComponent(request.model)}?version=${request.number}&part=card`;

function Decided({ requests }: { requests: readonly ApprovalRequest[] }) {
  const { say } = useSpeech();
  const columns = useMemo<Column<ApprovalRequest>[]>(
    () => [
      { id: "version", header: say("common.version"), value: (row) => `${row.model}@${row.number}` },
      { id: "alias", header: say("approvals.alias"), value: (row) => row.alias },
      {
        id: "state",
        header: say("common.state"),
        value: (row) => row.state ?? "",
        cell: (row) => <StateBadge state={row.state ?? "open"} />,
      },
      { id: "by", header: say("approvals.by"), value: (row) => row.decided_by ?? "" },
      {
        id: "at",
        header: say("approvals.at"),
        value: (row) => row.decided_at ?? "",
        cell: (row) => (row.decided_at == null ? null : <When at={row.decided_at} />),
      },
      {
        id: "reason",
        header: say("endpoints.reason"),
        value: (row) => row.decision ?? "",
        cell: (row) => <span className="long">{row.decision}</span>,
      },
    ],
    [say],
  );
  return (
    <DataTable
      label={say("approvals.decided")}
      rows={requests}
      columns={columns}
      idOf={idOf}
      hrefOf={hrefOf}
      immediate
    />
  );
}
