// Audits a running server for conformance with GraphQL over HTTP: node audit.mjs http://127.0.0.1:8000/graphql
// The last line is `N passed, N failed`; a warning or a notice counts as failed. Exits with 1 if any did.
import { auditServer } from 'graphql-http';

const url = process.argv[2] ?? 'http://127.0.0.1:8000/graphql';
const results = await auditServer({ url });
const failed = results.filter((result) => result.status !== 'ok');
for (const { id, name, status, reason } of failed) {
  console.log(`${status} ${id} ${name}: ${reason}`);
}
console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);
