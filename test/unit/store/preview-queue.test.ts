// One reader's share of the previews: in order, gap-free, never after the message itself.
// What would break that order is dropped, and the rest of that message with it.

import { expect, test } from 'vitest';
import { PreviewQueue } from '../../../store/preview-queue.ts';
import { localPreviews, type PreviewFrame } from '../../../store/previews.ts';

const START = { type: 'event_start' as const };
const DELTA = { type: 'event_delta' as const };

function frame(fields: Partial<PreviewFrame>): PreviewFrame {
  return {
    sessionId: 'sesn_1',
    threadId: 'sthr_1',
    afterSeq: 1,
    eventId: 'sevt_a',
    of: 'agent.message',
    offset: 0,
    chars: 0,
    event: START,
    ...fields,
  };
}

function queue(deltas: string[] = ['agent.message']) {
  const hub = localPreviews();
  const reader = new PreviewQueue({ sessionId: 'sesn_1', deltas: new Set(deltas) }, hub, () => {});
  return { hub, reader };
}

test('nothing is shown before the reader has seen the start of the span', () => {
  const { hub, reader } = queue();
  hub.publish(frame({}));
  expect(reader.take(0)).toEqual([]);
  expect(reader.take(1)).toEqual([START]);
});

test('a piece that does not continue what was shown ends that preview', () => {
  const { hub, reader } = queue();
  hub.publish(frame({}));
  hub.publish(frame({ event: DELTA, offset: 0, chars: 5 }));
  hub.publish(frame({ event: DELTA, offset: 9, chars: 2 }));
  hub.publish(frame({ event: DELTA, offset: 11, chars: 2 }));
  expect(reader.take(1)).toEqual([START, DELTA]);
});

test('a reader that came in the middle of a message gets none of it', () => {
  const { hub, reader } = queue();
  hub.publish(frame({ event: DELTA, offset: 40, chars: 5 }));
  expect(reader.take(1)).toEqual([]);
});

test('nothing follows the message itself, not even its start', () => {
  const { hub, reader } = queue();
  reader.finish('sevt_a');
  hub.publish(frame({}));
  hub.publish(frame({ event: DELTA, chars: 5 }));
  expect(reader.take(9)).toEqual([]);
});

test('only the kinds that were asked for are shown', () => {
  const { hub, reader } = queue(['agent.thinking']);
  hub.publish(frame({}));
  hub.publish(frame({ of: 'agent.thinking', eventId: 'sevt_b' }));
  expect(reader.take(1)).toHaveLength(1);
});

test('a closed reader holds nothing', () => {
  const { hub, reader } = queue();
  hub.publish(frame({}));
  reader.close();
  hub.publish(frame({}));
  expect(reader.take(1)).toEqual([]);
});
