// The page itself: from what was judged to Markdown, and what two versions of it differ in. Without
// dates and figures of a run, so that it changes only when what is proven changes.

import { type Coverage, gapsOf, type Item } from './proofs.ts';
import { SDK_CALLS, SDK_ROUTES } from './sdk-routes.ts';

const HEAD = `# Coverage

What is proven, and by which test. A program writes this page from a run of the tests: first \`npm
test\` or \`node test/run.ts e2e\`, then \`node test/coverage/coverage.ts\`. What it says by hand is
in \`test/coverage/layers.md\` and \`test/coverage/not-yet.ts\`. A run of the end-to-end suite fails
where this page does not say what the run has shown.

## What counts as a proof

A test of \`test/e2e\` proves a route or a variant of an event when

1. it passed,
2. it saw it: the route gave an answer of 2xx, the event was carried by a stream or a history, or a
   client's event was accepted; what was set up before the test does not count,
3. it fitted the SDK's type: every answer, frame and accepted body of the test did, or it would have
   failed, and
4. it names it: the SDK's method or the path of the route, the type of the event and the value that
   makes it this variant, in its name, in its text, or in a function or constant that it calls by
   name (\`test/coverage/test-text.ts\`). A line with \`.not.\` does not count.

Of several such tests the first by file and name is shown. The chaos suite proves nothing here: it
draws its moments, and so sees different things each time. What is not yet there has a row in
[differences](differences.md); only what \`not-yet.ts\` lists may go without a proof.`;

const escaped = (text: string): string => text.replaceAll('|', '\\|');

function verdictCell({ verdict }: Item): string {
  switch (verdict.state) {
    case 'proven':
      return escaped(verdict.by);
    case 'not yet':
      return `not yet: ${verdict.area}`;
    case 'never':
      return `never: ${verdict.reason}`;
    case 'gap':
      return '**no proof**';
  }
}

function routeTable(items: readonly Item[]): string {
  const rows = items.map(
    (item) => `| ${item.key} | ${item.methods.join(', ')} | ${verdictCell(item)} |`,
  );
  return ['| route | SDK | proof |', '| --- | --- | --- |', ...rows].join('\n');
}

function variantTable(items: readonly Item[]): string {
  const rows = items.map((item) => {
    const [, type, member = ''] = item.key.split(' ');
    return `| ${type} | ${member.replace('=', ': ')} | ${verdictCell(item)} |`;
  });
  return ['| event | variant | proof |', '| --- | --- | --- |', ...rows].join('\n');
}

function gapList(coverage: Coverage): string {
  const gaps = gapsOf(coverage);
  if (gaps.length === 0) return 'Nothing.';
  return gaps.map((gap) => `- ${gap}`).join('\n');
}

/** The whole page; `layers` is the text of layers.md. */
export function printPage(coverage: Coverage, layers: string): string {
  const sections = [
    HEAD,
    '## Routes',
    `${SDK_ROUTES.length} routes, read from the source of \`@anthropic-ai/sdk\`. Of its ${SDK_CALLS}
calls, those of inference and of an organization's administration are left out.`,
    routeTable(coverage.routes),
    '## Events',
    'What streams and histories carry: each type, and each value of a member that has a choice.',
    variantTable(coverage.events),
    '## Events that a client sends',
    variantTable(coverage.sent),
    '## Without a proof',
    `What the tables above say **no proof** of; \`test/coverage/not-yet.ts\` bounds how many.`,
    gapList(coverage),
    layers.trim().replace(/^# /, '## '),
    '## Skipped tests',
    'None. A skipped test counts as failed (`test/run.ts`).',
  ];
  return `${sections.join('\n\n')}\n`;
}

/** A page's lines with every proof told apart from no proof only. */
const substanceOf = (page: string): string[] =>
  page.split('\n').map((line) => line.replace(/\| [^|]+ › (?:[^|]|\\\|)+ \|$/, '| proven |'));

/** The proofs that a page names, as `e2e/file › test`. */
export function proofsNamed(page: string): string[] {
  const cells = page.matchAll(/\| ([^|]+ › (?:[^|]|\\\|)+) \|$/gm);
  return [...new Set([...cells].map(([, cell]) => cell!.replaceAll('\\|', '|')))];
}

/** What the committed page says and the run does not, and the reverse, a line each. */
export function pageDifferences(committed: string, generated: string): string[] {
  const [before, after] = [substanceOf(committed), substanceOf(generated)];
  const [had, has] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !has.has(line)).map((line) => `the page says: ${line}`),
    ...after.filter((line) => !had.has(line)).map((line) => `the run shows: ${line}`),
  ];
}
