export { connect, read, type Client, type Connection } from "./client.js";
export { ApiError } from "./errors.js";
export { FrameParser, watch, type EventTold, type Watch } from "./events.js";
export type * from "./schema.js";
