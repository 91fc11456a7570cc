// When an unused container rests: first it is paused (19 ms to wake, memory kept), later stopped
// (0.4 s to wake, files kept, processes gone). The rule is pure; the clock that asks it keeps one
// timer a container, re-armed lazily, so that a call costs no timer.

/** Idle time until a container is paused, and until it is stopped. */
export interface IdleTimes {
  pauseMs: number;
  stopMs: number;
}

export interface IdleStep {
  action: 'nothing' | 'pause' | 'stop';
  /** when to ask again, `ms`; null: not before the next use */
  againMs: number | null;
}

/** What to do with a container that was last used `idleMs` ago. */
export function idleStep(state: 'ready' | 'paused', idleMs: number, times: IdleTimes): IdleStep {
  if (idleMs >= times.stopMs) return { action: 'stop', againMs: null };
  const untilStop = times.stopMs - idleMs;
  if (state === 'paused') return { action: 'nothing', againMs: untilStop };
  if (idleMs >= times.pauseMs) return { action: 'pause', againMs: untilStop };
  return { action: 'nothing', againMs: Math.min(times.pauseMs - idleMs, untilStop) };
}

/** Asks the rule when it is due; `onDue` returns when to ask again, null for never. */
export class IdleClock {
  readonly #onDue: () => number | null;
  #timer: NodeJS.Timeout | null = null;

  constructor(onDue: () => number | null) {
    this.#onDue = onDue;
  }

  /** Begins asking after `ms`, unless a question is already due. */
  arm(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const again = this.#onDue();
      if (again !== null) this.arm(again);
    }, ms).unref();
  }

  disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
