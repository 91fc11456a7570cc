// What may happen to a session in the small world of the property tests, and what is written down
// there: the words that session-world.ts acts on and fast-check draws.

export interface ClientEvent {
  seq: number;
  type: 'user.message' | 'user.interrupt' | 'user.tool_confirmation' | 'user.custom_tool_result';
  isProcessed: boolean;
}

export type Answer = 'allow' | 'deny' | 'result';

/** A call that waits for a client, as `sessions.waits` holds it. */
export interface Wait {
  for: 'confirmation' | 'result';
  answer?: Answer;
  seq?: number;
}

export type CallKind = 'allowed' | 'asked' | 'custom';

export interface Reply {
  calls: CallKind[];
  cost: number;
  /** The conversation is nearly too long */
  isFull: boolean;
}

/** What a test may do to the world between two looks at it. */
export type Move =
  | { do: 'send'; type: 'user.message' | 'user.interrupt'; isHeard: boolean }
  | { do: 'answer'; which: number; isAllowed: boolean; isHeard: boolean }
  | ({ do: 'reply' } & Reply)
  | { do: 'fail' | 'overflow' }
  | { do: 'finish'; isPartly: boolean }
  | { do: 'raise'; by: number; isHeard: boolean }
  | { do: 'restart' };
