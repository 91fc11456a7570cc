// The scripted model as the judge of a tool call, which Holdfast asks under the permission policy
// `auto`: one question, one verdict. The user's own texts may say what it is to be, so that a test
// can steer it; without such a line a few commands count as dangerous and all else is allowed.

import { retryAfterOf } from './control-lines.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';
import { invalid } from './request-error.ts';
import { isRecord } from './transcript-rules.ts';

const VERDICT =
  /^# judge (allow|high_risk|indeterminate|garbage|fail (?:0|[45]\d\d))(?: (.*\S))?\s*$/;
const DANGEROUS = /rm -rf|sudo/;
const GARBAGE = 'The harbour is quiet, and I hold no opinion that anybody could parse.';

/** Answers the text below the marker; throws a 400 where it holds no question. */
export function judge(asked: string): ReplyPlan {
  const { tool, input, intent } = readQuestion(asked);
  const said = stringsOf(input).join('\n');
  const searched = `${JSON.stringify(input)}\n${said}`;
  const lines = intent.flatMap((text) => text.split('\n')).toReversed();
  for (const line of lines) {
    const [, verdict, about] = VERDICT.exec(line) ?? [];
    if (verdict === undefined) continue;
    if (about === undefined || about === tool || searched.includes(about)) return plan(verdict);
  }
  return plan(DANGEROUS.test(said) ? 'high_risk' : 'allow');
}

function readQuestion(asked: string): { tool: string; input: unknown; intent: string[] } {
  const line = asked.split('\n').find((text) => text.startsWith('{'));
  if (line === undefined) invalid('messages', 'a JSON line with the call to judge is expected');
  const question = parse(line);
  const { tool, input, intent } = isRecord(question) ? question : {};
  if (typeof tool !== 'string' || !isTexts(intent)) {
    invalid('messages', 'the call to judge has a "tool", an "input" and "intent" texts');
  }
  return { tool, input: input ?? null, intent };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    invalid('messages', 'the call to judge is not valid JSON');
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function plan(verdict: string): ReplyPlan {
  const [kind, digits] = verdict.split(' ');
  const text = kind === 'garbage' ? GARBAGE : JSON.stringify({ verdict });
  const status = Number(digits);
  const step: ReplyStep =
    kind === 'fail'
      ? { kind: 'fail', status, retryAfterSeconds: retryAfterOf(status) }
      : { kind: 'text', deltas: [text], deltaMs: 0 };
  return { steps: [step], stopReason: 'end_turn', usage: undefined, searches: 0 };
}

/** Every string in a JSON value, as written: in JSON itself, quotes and line ends are escaped. */
function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsOf);
}
