// The id of a request, as people paste it: from a log, a header, or a spreadsheet.

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/i;
const TRACE = /^0x([0-9a-f]{32})$/i;

/** Without what is around it; of a `traceparent` (W3C Trace Context) the trace id. */
export function requestId(text) {
  const bare = text.trim().replace(/^(["'`])(.*)\1$/, "$2").trim();
  const trace = TRACEPARENT.exec(bare) ?? TRACE.exec(bare);
  return trace ? trace[1].toLowerCase() : bare;
}
