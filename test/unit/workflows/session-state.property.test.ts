// The session's state machine under any order of client events, replies, failures, interrupts, lost
// bells and new runs. A failing run prints the moves and the story they made.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byDepth } from '../../helpers/depth.ts';
import type { CallKind, Move } from './session-moves.ts';
import { SessionWorld } from './session-world.ts';

const call = fc.constantFrom<CallKind>('allowed', 'allowed', 'asked', 'custom');
const isHeard = fc.boolean();

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    do: fc.constant('send' as const),
    type: fc.constantFrom(
      'user.message' as const,
      'user.message' as const,
      'user.interrupt' as const,
    ),
    isHeard,
  }),
  fc.record({
    do: fc.constant('answer' as const),
    which: fc.nat({ max: 5 }),
    isAllowed: fc.boolean(),
    isHeard,
  }),
  fc.record({
    do: fc.constant('reply' as const),
    calls: fc.array(call, { maxLength: 3 }),
    cost: fc.nat({ max: 3 }),
    isFull: fc.boolean(),
  }),
  fc.record({ do: fc.constant('finish' as const), isPartly: fc.boolean() }),
  fc.record({ do: fc.constant('raise' as const), by: fc.integer({ min: 1, max: 5 }), isHeard }),
  fc.record({ do: fc.constantFrom('fail' as const, 'overflow' as const, 'restart' as const) }),
);

function play(moves: Move[]): SessionWorld {
  const world = new SessionWorld();
  for (const one of moves) world.move(one);
  world.settle();
  return world;
}

function holds(claim: (world: SessionWorld, moves: Move[]) => void): void {
  const run = (moves: Move[]): void => {
    const world = play(moves);
    try {
      claim(world, moves);
    } catch (error) {
      throw new Error(`${world.story.join('\n')}\n\n${String(error)}`, { cause: error });
    }
  };
  fc.assert(fc.property(fc.array(move, { maxLength: 60 }), run), {
    numRuns: byDepth(2000, 10_000),
  });
}

test('every tool use gets exactly one result', () => {
  holds((world) => {
    for (const [call, count] of world.results) expect([call, count]).toEqual([call, 1]);
  });
});

test('every message is read once, in the order in which it was sent', () => {
  holds((world) => {
    const sent = world.events.filter((event) => event.type === 'user.message');
    expect(world.read).toEqual(sent.map((event) => event.seq));
  });
});

test('a session with nothing left to do is idle, with no call open', () => {
  holds((world) => {
    expect(world.status).toBe('idle');
    expect(world.waiting).toEqual([]);
    expect(world.state.calls).toEqual([]);
    expect(world.state.phase).toBe('idle');
  });
});

test('a call that asks runs only after it was allowed, and a denied one never', () => {
  holds((world) => {
    for (const [id, answer] of world.ran) {
      const expected = world.kinds.get(id) === 'asked' ? 'allow' : undefined;
      expect([id, answer]).toEqual([id, expected]);
    }
  });
});

test('a session that says it waits names calls that wait, and no others', () => {
  holds((world) => {
    for (const { reason, waiting } of world.idles) {
      expect([reason, waiting.length > 0]).toEqual([reason, reason === 'requires_action']);
    }
  });
});

test('no request begins at or over the cap', () => {
  holds((world) => {
    for (const { cost, cap } of world.requests) expect(cost).toBeLessThan(cap);
  });
});

test('no step is taken twice under one name', () => {
  holds((world) => {
    expect(new Set(world.turnsStarted).size).toBe(world.turnsStarted.length);
  });
});

test('the state that travels to a new run stays under a kilobyte beside its calls', () => {
  holds((world) => {
    expect(JSON.stringify({ ...world.state, calls: [] }).length).toBeLessThan(1024);
  });
});

test('repeating a bell changes nothing', () => {
  holds((world) => {
    const before = JSON.stringify(world.state);
    world.hear();
    expect(JSON.stringify(world.state)).toBe(before);
  });
});
