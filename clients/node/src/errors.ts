/** What the server says when it refuses: what happened, to what, and what to do next. */
export class ApiError extends Error {
  /** The HTTP status; 0 where no server answered. */
  readonly status: number;
  /** The error's name, for programs: "dataset_not_found". */
  readonly code: string;
  /** What to do about it; may be empty. */
  readonly hint: string;
  readonly details: unknown;

  constructor(told: {
    status: number;
    code: string;
    message: string;
    hint?: string;
    details?: unknown;
  }) {
    super(told.message);
    this.name = "ApiError";
    this.status = told.status;
    this.code = told.code;
    this.hint = told.hint ?? "";
    this.details = told.details ?? null;
  }
}

/** Read an error body, whatever stood between the server and here did to it. */
export function failure(status: number, body: unknown): ApiError {
  const told = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return new ApiError({
    status,
    code: text(told["error"]) || `http_${status}`,
    message: text(told["message"]) || text(told["detail"]) || `HTTP ${status}`,
    hint: text(told["hint"]),
    details: told["details"],
  });
}
