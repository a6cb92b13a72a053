/** Which kept answers an event makes stale: the first words of their keys. */
const BY_ROOM: Readonly<Record<string, readonly string[]>> = {
  data: ["datasets", "lineage"],
  lineage: ["runs", "lineage", "tracked"],
  tracking: ["experiments", "tracked", "runs"],
  pipelines: ["pipelines", "runs", "lineage"],
  registry: ["models", "approvals", "lineage"],
  serving: ["endpoints", "lineage"],
  monitoring: ["alerts", "monitors"],
  features: ["features", "lineage"],
  governance: ["projects"],
};

/** "data.version.created" makes the datasets stale; every event may change the counts. */
export function staleAfter(action: string): readonly string[] {
  const room = action.slice(0, Math.max(0, action.indexOf(".")));
  return ["status", ...(BY_ROOM[room] ?? [])];
}

/**
 * Gathers stale keys and hands them on together: a first one soon, those that come while the
 * server still answers only when it has, so that a storm of events costs one round at a time.
 */
export class StaleKeys {
  private readonly waiting = new Set<string>();
  private busy = false;
  private readonly refresh: (keys: readonly string[]) => Promise<unknown>;
  private readonly pauseMs: number;

  constructor(refresh: (keys: readonly string[]) => Promise<unknown>, pauseMs = 100) {
    this.refresh = refresh;
    this.pauseMs = pauseMs;
  }

  add(keys: readonly string[]): void {
    for (const key of keys) this.waiting.add(key);
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
      const keys = [...this.waiting];
      this.waiting.clear();
      // A failed refresh shows on the panel whose query it was.
      await this.refresh(keys).catch(() => undefined);
    }
    this.busy = false;
  }
}
