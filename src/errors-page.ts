// The table of errors as text: the page docs/errors.md.

import { CLIENT_ERRORS, type ClientError, type Retry } from './base/errors.ts'

const INTRODUCTION = `# Errors

Made from the table in \`src/base/errors.ts\` by \`npm run docs\`; change it there.

A command that fails says so in one text, the same through every door: a word in capitals, then what is wrong.
RESP sends it as an error. Over gRPC the call ends with the status below; its message is the text, cut at 1,024
characters, and stands in the trailer \`slotcast-code\` too. \`grpc-status-details-bin\` holds a \`google.rpc.Status\` with
\`ErrorInfo{reason, domain: "slotcast"}\` and, where waiting helps, \`RetryInfo\`. In a \`CommandService.Session\` the
text is the outcome of its call. A word that is not listed counts as \`ERR\`.

*Retry* is what becomes of the same call made once more:

- *later*: safe, nothing was done; it may succeed after a while.
- *elsewhere*: safe, nothing was done; it may succeed at another node.
- *useless*: safe, nothing was done; it fails again until the call or the data is another.
- *unknown*: **not safe** without a \`Producer\` mark: it may have been done already.

| Error | gRPC status | Reason | Retry | What to do |
| --- | --- | --- | --- | --- |
`

const TRANSPORT = `
## What gRPC says by itself

These come without a word of ours. Of a write they say nothing: it may have been done, and only a \`Producer\` mark
makes it safe to send again.

| gRPC status | When | Retry |
| --- | --- | --- |
| \`DEADLINE_EXCEEDED\` | The call's deadline passed. A wait is forgotten, and takes nothing that comes later. | unknown |
| \`CANCELLED\` | The caller gave up, with the same effect. | unknown |
| \`UNAVAILABLE\` | The connection is lost, or the node stops. | unknown |
| \`RESOURCE_EXHAUSTED\` | The message is larger than \`cluster.grpc.message_bytes_max\`, or than the client allows. | useless; unknown if it was an answer |
| \`INTERNAL\` | The bytes are no message of the call's type. | useless |
| \`UNIMPLEMENTED\` | There is no such service or call. | useless |
`

const RETRY_TEXT: Readonly<Record<Retry, string>> = {
  later: 'later',
  elsewhere: 'elsewhere',
  useless: 'useless',
  unknown: '**unknown**',
}

function row({ word, text, grpc, reason, retry, advice }: ClientError): string {
  const error = text === undefined ? word : `${text}…`
  return `| \`${error}\` | \`${grpc}\` | \`${reason}\` | ${RETRY_TEXT[retry]} | ${advice} |\n`
}

/** The whole of docs/errors.md. */
export function errorsPage(): string {
  return INTRODUCTION + CLIENT_ERRORS.map(row).join('') + TRANSPORT
}
