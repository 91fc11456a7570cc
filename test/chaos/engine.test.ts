// The container engine killed under running commands: with live-restore the containers go on, and
// so do their connections to the server, so a command's result comes as if nothing had been.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { diceOf } from './dice.ts';
import { OwnEngine } from './own-engine.ts';
import { after, prove } from './proof.ts';
import { longCommand, parallelCalls, shortCommands } from './stories.ts';
import { startWholeServer, type WholeServer } from './whole-server.ts';

let engine: OwnEngine;
let whole: WholeServer;

beforeAll(async () => {
  engine = await OwnEngine.start();
  whole = await startWholeServer({ HOLDFAST_DOCKER_SOCKET: engine.socketPath });
});

afterAll(async () => {
  await whole?.server.end();
  await engine?.close();
  await whole?.server.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe.each(numbers(byDepth(2, 6)))('the engine, kill %i', (number) => {
  it('commands and their results are not disturbed', async () => {
    const dice = diceOf(`engine ${number}`);
    await prove(whole.stage, {
      what: 'the engine',
      stories: [longCommand(4), shortCommands, parallelCalls],
      async moment(cast) {
        const delayMs = dice.between(300, 1_200);
        return `in commands, ${await after(cast, { type: 'agent.tool_use', count: 1, delayMs })}`;
      },
      kill: () => engine.kill(),
      recover: () => engine.startAgain(),
    });
  });
});

it('every container was made by this engine', async () => {
  expect(await engine.docker('info', '--format', '{{.Images}}')).not.toBe('0');
});
