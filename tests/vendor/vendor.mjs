// Whether the vendors' own clients and descriptions take what the stand-in says: node vendor.mjs http://127.0.0.1:PORT TOKEN EMAIL
// Prints one JSON object: by tool, the ids that its client read. Exits with 1 and says what is wrong where one refuses.
import { writeFileSync } from 'node:fs';
import { buildSchema, execute, parse, validate } from 'graphql';
import { schema as github } from '@octokit/graphql-schema';
import { Gitlab } from '@gitbeaker/rest';
import { LogLevel, WebClient } from '@slack/web-api';
import { createCloudClient } from 'jira.js';
import ts from 'typescript';

const [base, token, email] = process.argv.slice(2);
const wrong = [];
const ids = {};

async function json(path, init) {
  const reply = await fetch(base + path, init);
  return { status: reply.status, headers: reply.headers, body: await reply.json() };
}

// GitHub publishes its schema: our query must be one of it, and the reply what the schema lets it say.
const schema = buildSchema(github.idl, { assumeValid: true });
const asked = (await json('/seen')).body.filter(({ uri }) => uri === '/github/api/graphql').map(({ body }) => JSON.parse(body));
if (asked.length === 0) wrong.push('the connector has not asked GitHub');
ids.github = [];
for (const { query, variables } of asked) {
  const document = parse(query);
  wrong.push(...validate(schema, document).map((error) => `GitHub, our query: ${error.message}`));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const { body } = await json('/github/api/graphql', { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const organization = () => body.data.organization;
  const said = await execute({ schema, document, variableValues: variables, rootValue: { organization } });
  wrong.push(...(said.errors ?? []).map((error) => `GitHub, a reply: ${error.message}`));
  if (JSON.stringify(said.data) !== JSON.stringify(body.data)) wrong.push('GitHub, a reply: more or less than was asked for');
  ids.github.push(...body.data.organization.membersWithRole.nodes.map(({ databaseId }) => String(databaseId)));
}

// Jira's client holds every reply to its description.
const jira = createCloudClient({
  host: `${base}/jira`, auth: { type: 'basic', email, apiToken: token }, onSchemaMismatch: 'throw',
});
ids.jira = [];
for (let startAt = 0; ;) {
  const users = await jira.users.getAllUsers({ startAt, maxResults: 200 });
  if (users.length === 0) break;
  startAt += users.length;
  ids.jira.push(...users.filter(({ accountType }) => accountType !== 'customer').map(({ accountId }) => accountId));
}

// Slack's and GitLab's clients page by themselves.
const slack = new WebClient(token, { slackApiUrl: `${base}/slack/`, logLevel: LogLevel.ERROR, retryConfig: { retries: 0 } });
ids.slack = [];
for await (const page of slack.paginate('users.list', { limit: 200 })) {
  ids.slack.push(...page.members.map(({ id }) => id));
}
const refused = new WebClient('xoxb-wrong', { slackApiUrl: `${base}/slack/`, logLevel: LogLevel.ERROR, retryConfig: { retries: 0 } });
await refused.users.list({}).then(
  () => wrong.push('Slack: a wrong token is taken'),
  (error) => error.data?.error === 'invalid_auth' || wrong.push(`Slack, a wrong token: ${error}`),
);
const gitlab = new Gitlab({ host: `${base}/gitlab`, token });
const users = await gitlab.Users.all({ pagination: 'keyset', orderBy: 'id', sort: 'asc', perPage: 100 });
ids.gitlab = users.map(({ id }) => String(id));
const members = await gitlab.GroupMembers.all('acme/platform', { includeInherited: true, perPage: 100 });
ids.members = members.map(({ id }) => String(id));

// Harness publishes the types of its replies: whatever is not of the type is an error of the compiler.
const aggregate = (key) =>
  json('/harness/ng/api/user/aggregate?accountIdentifier=acc-1&pageIndex=4&pageSize=100', {
    method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: '{}',
  });
const [harness, failure] = [await aggregate(token), await aggregate('wrong')];
if (failure.status !== 401) wrong.push('Harness: a wrong key is taken');
const slackPage = await json('/slack/users.list?limit=200', { headers: { authorization: `Bearer ${token}` } });
const gitlabPage = await json('/gitlab/api/v4/users?per_page=100', { headers: { 'private-token': token } });
const memberPage = await json('/gitlab/api/v4/groups/acme%2Fplatform/members/all', { headers: { 'private-token': token } });
const typed = [
  ["import type { ResponseDtoPageResponseUserAggregate as T } from '@harnessio/react-ng-manager-v2-client';", harness.body],
  ["import type { Error as T } from '@harnessio/react-ng-manager-v2-client';", failure.body],
  ["import type { UsersListResponse as T } from '@slack/web-api';", slackPage.body],
  ["import type { ExpandedUserSchema } from '@gitbeaker/core'; type T = ExpandedUserSchema[];", gitlabPage.body],
  ["import type { CondensedMemberSchema } from '@gitbeaker/core'; type T = CondensedMemberSchema[];", memberPage.body],
  // That the compiler does refuse what is not of the type.
  ["import type { ResponseDtoPageResponseUserAggregate as T } from '@harnessio/react-ng-manager-v2-client';",
    { status: 'SUCCESS', data: { content: [{ user: { uuid: 1, mail: 'x' } }] } }, true],
];
const files = typed.map(([head, body], at) => {
  writeFileSync(`reply-${at}.ts`, `${head}\nexport const reply: T = ${JSON.stringify(body)};\n`);
  return `reply-${at}.ts`;
});
const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const program = ts.createProgram(files, options);
typed.forEach(([, , isWrong], at) => {
  const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(files[at]));
  const said = found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  if (isWrong && said.length === 0) wrong.push('the compiler takes what is not of the type');
  if (!isWrong) wrong.push(...said.map((text) => `${files[at]}: ${text.slice(0, 500)}`));
});
ids.harness = harness.body.data.content.map(({ user }) => user.uuid);

for (const text of wrong) console.error(text);
console.log(JSON.stringify(ids));
process.exit(wrong.length > 0 ? 1 : 0);
