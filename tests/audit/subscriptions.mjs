// Subscribes to a running server with the clients that the authors of both protocols keep, and changes the directory
// meanwhile: node subscriptions.mjs http://127.0.0.1:8000/graphql
// The directory has to be empty. Writes a line for each thing that a client sees.
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2] ?? 'http://127.0.0.1:8000/graphql';
const ws = createWs({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, keepAlive: 20, retryAttempts: 0 });
const sse = createSse({ url, retryAttempts: 0 });
const pong = new Promise((resolve) => ws.on('pong', resolve));

const changed = 'subscription { directoryChanged(afterVersion: 0) { version changeset { kind actor changeCount } } }';
const create = 'mutation ($name: String!) { createIntegration(input: { kind: JIRA, name: $name }) { version } }';
const remove = 'mutation { deleteIntegration(input: { id: "no" }) { version } }';

function show(name, { data, errors }) {
  console.log(name, data ? JSON.stringify(data) : errors.map(({ extensions }) => extensions.code).join());
}

// An empty directory has one changeset, in which the built-in attributes were made.
let version = 1;

for (const [name, client] of Object.entries({ ws, sse })) {
  const events = client.iterate({ query: changed });
  show(name, (await events.next()).value);
  const body = JSON.stringify({ query: create, variables: { name } });
  await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  version += 1;
  for (let seen = 1; seen < version; ) {
    const { value } = await events.next();
    show(name, value);
    seen = value.data.directoryChanged.version;
  }
  await events.return();
  for (const query of ['{ directory { integrationCount } }', remove, 'subscription { nothing }', '{']) {
    try {
      for await (const result of client.iterate({ query })) show(name, result);
    } catch (errors) {
      show(name, { errors });
    }
  }
}

await pong;
console.log('ws pong');
await ws.dispose();
sse.dispose();
