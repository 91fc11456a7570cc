// What may happen to a session in the property test of races: what clients send, what the session's
// workflow does, and which of it happens at once. Only words here; raced-session.ts acts on them.

import fc from 'fast-check';

/** One event of a client's batch; `which` counts calls from the newest backwards. */
export type Sent =
  | { kind: 'message' | 'interrupt' | 'system' }
  | { kind: 'answer'; which: number; isAllowed: boolean };

export type CallKind = 'allowed' | 'asked' | 'custom';

export interface Reply {
  calls: CallKind[];
  costCents: number;
  /** The conversation is nearly too long for its model */
  isFull: boolean;
}

/** How a model request ends, if no interrupt ends it. */
export type RequestEnd = 'reply' | 'retry' | 'fail' | 'overflow';

export interface Timing {
  /** Round trips to the database that it waits before it acts */
  lag: number;
}

export type ClientMove = Timing & {
  /** False: the bell is lost, as when the process dies behind its commit */
  isHeard: boolean;
} & (
    | { do: 'send'; events: Sent[] }
    | { do: 'archive' | 'delete' | 'title' | 'tools' | 'uncap' }
    /** The cap, from what the client knows to be spent */
    | { do: 'cap'; byCents: number }
  );

export type WorkflowMove = Timing & {
  do: 'step';
  end: RequestEnd;
  reply: Reply;
  /** A second attempt of the step at the same time: the first lost touch with the engine */
  isTwice: boolean;
};

/** Everything in it happens at once. */
export interface Moment {
  clients: ClientMove[];
  workflow: WorkflowMove | null;
}

export interface Play {
  capCents: number | null;
  moments: Moment[];
}

const lag = fc.nat({ max: 3 });
const isHeard = fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false));
const single = (kind: 'message' | 'interrupt' | 'system') => fc.constant<Sent>({ kind });
const answer: fc.Arbitrary<Sent> = fc.record({
  kind: fc.constant('answer' as const),
  which: fc.nat({ max: 3 }),
  isAllowed: fc.boolean(),
});
const [message, interrupt, system] = [single('message'), single('interrupt'), single('system')];

const batch: fc.Arbitrary<Sent[]> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(message) },
  { weight: 6, arbitrary: fc.tuple(answer) },
  { weight: 3, arbitrary: fc.tuple(interrupt) },
  fc.tuple(message, message),
  fc.tuple(interrupt, message),
  fc.tuple(message, system),
  fc.tuple(system),
  fc.tuple(answer, answer),
  fc.tuple(answer, message),
  fc.tuple(answer, system),
  fc.tuple(interrupt, answer),
);

const clientMove: fc.Arbitrary<ClientMove> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('send' as const), events: batch, isHeard, lag }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cap' as const),
      byCents: fc.integer({ min: -1, max: 5 }),
      isHeard,
      lag,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('title' as const, 'tools'), isHeard, lag }),
  },
  fc.record({
    do: fc.constantFrom<'uncap' | 'archive' | 'delete'>('uncap', 'archive', 'archive', 'delete'),
    isHeard,
    lag,
  }),
);

const reply: fc.Arbitrary<Reply> = fc.record({
  calls: fc.array(fc.constantFrom<CallKind>('allowed', 'asked', 'asked', 'custom'), {
    maxLength: 3,
  }),
  costCents: fc.nat({ max: 3 }),
  isFull: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
});

const workflowMove: fc.Arbitrary<WorkflowMove> = fc.record({
  do: fc.constant('step' as const),
  end: fc.oneof(
    { weight: 9, arbitrary: fc.constant<RequestEnd>('reply') },
    fc.constantFrom<RequestEnd>('retry', 'fail', 'overflow'),
  ),
  reply,
  isTwice: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  lag,
});

const moment: fc.Arbitrary<Moment> = fc.record({
  clients: fc.oneof(
    { weight: 2, arbitrary: fc.constant<ClientMove[]>([]) },
    { weight: 5, arbitrary: fc.array(clientMove, { minLength: 1, maxLength: 3 }) },
  ),
  workflow: fc.oneof({ weight: 4, arbitrary: workflowMove }, fc.constant(null)),
});

export const play: fc.Arbitrary<Play> = fc.record({
  capCents: fc.option(fc.integer({ min: 1, max: 6 })),
  moments: fc.array(moment, { minLength: 5, maxLength: 30 }),
});

/** What happens where nothing was drawn: the request is answered and asks for no tool. */
export const PLAIN_STEP: WorkflowMove = {
  do: 'step',
  end: 'reply',
  reply: { calls: [], costCents: 1, isFull: false },
  isTwice: false,
  lag: 0,
};
