// What the runner remembers: a call it has seen is never run again, and what it keeps of results is
// bounded in number and bytes.
import { expect, test } from 'vitest';
import {
  RUNNER_FORGOTTEN_MAX,
  RUNNER_RESULT_BYTES_MAX,
  RUNNER_RESULTS_MAX,
} from '../../../protocol/limits.ts';
import { CallStore } from '../../../sandbox/runner/call-store.ts';

const result = (text: string) => ({ content: [{ type: 'text' as const, text }], isError: false });

test('a call is running, then has its result, and is only an id once acknowledged', () => {
  const calls = new CallStore();
  expect(calls.find('a')).toBeUndefined();
  calls.begin('a');
  expect(calls.find('a')).toMatchObject({ result: null });
  calls.acknowledge('a');
  expect(calls.find('a')).toMatchObject({ result: null });
  calls.finish('a', result('x'));
  expect(calls.find('a')).toMatchObject({ result: result('x') });
  calls.acknowledge('a');
  expect(calls.find('a')).toBe('forgotten');
});

test('an acknowledged call that never came here is refused as well', () => {
  const calls = new CallStore();
  calls.acknowledge('a');
  expect(calls.find('a')).toBe('forgotten');
});

test('ids of acknowledged calls are bounded, the oldest go first', () => {
  const calls = new CallStore();
  for (let call = 0; call <= RUNNER_FORGOTTEN_MAX; call++) calls.acknowledge(`${call}`);
  expect(calls.find('0')).toBeUndefined();
  expect(calls.find('1')).toBe('forgotten');
});

test('too many results push out the oldest, whose id is still refused', () => {
  const calls = new CallStore();
  for (let call = 0; call <= RUNNER_RESULTS_MAX; call++) {
    calls.begin(`${call}`);
    calls.finish(`${call}`, result('x'));
  }
  expect(calls.find('0')).toBe('forgotten');
  expect(calls.find('1')).toMatchObject({ result: result('x') });
});

test('too large results push out the oldest, never the newest or a running one', () => {
  const calls = new CallStore();
  calls.begin('running');
  const half = result('x'.repeat(RUNNER_RESULT_BYTES_MAX / 2));
  for (const callId of ['a', 'b', 'c']) {
    calls.begin(callId);
    calls.finish(callId, half);
  }
  expect(calls.find('a')).toBe('forgotten');
  expect(calls.find('b')).toMatchObject({ result: half });
  expect(calls.find('running')).toMatchObject({ result: null });
  calls.begin('huge');
  calls.finish('huge', result('x'.repeat(RUNNER_RESULT_BYTES_MAX + 1)));
  expect(calls.find('huge')).toMatchObject({ isStarted: false });
  expect(calls.find('c')).toBe('forgotten');
});

test('a cancelled call has its signal aborted, an unknown one is no error', () => {
  const calls = new CallStore();
  const call = calls.begin('a');
  calls.cancel('a');
  calls.cancel('b');
  expect(call.abort.signal.aborted).toBe(true);
});
