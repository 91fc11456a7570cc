// The permission policy `auto`: the server judges each call by what users wrote. docs:
// managed-agents/permission-policies; sdk 1.11.0: AgentToolEvaluationAuto.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  confirmation,
  ofType,
  resultsOf,
  Scene,
  stopReasonOf,
  textOf,
  waitingOf,
} from '../../helpers/scene.ts';

let scene: Scene;

beforeAll(async () => {
  const policy = { permission_policy: { type: 'auto' as const } };
  scene = await Scene.open(inject('server'), {
    agent: { tools: [{ type: 'agent_toolset_20260401', default_config: policy }] },
  });
});

afterAll(async () => {
  await scene.close();
});

const judged = (type: string, reason?: string) => ({
  evaluated_permission: type,
  evaluation: {
    type: 'auto',
    evaluated_permission: { type, ...(reason === undefined ? {} : { reason_code: reason }) },
  },
});

describe('a call that the server judges', () => {
  it('runs when it is found harmless', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ echo harmless');
    expect(ofType(events, 'agent.tool_use')).toMatchObject([judged('allow')]);
    expect(resultsOf(events)).toEqual(['harmless']);
    expect(ofType(events, 'span.model_request_start')).toHaveLength(2);
  });

  it('is denied when the risk is high, and no client can override that', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ sudo rm -rf /workspace\n$ echo still here');
    const [denied] = ofType(events, 'agent.tool_use');
    expect(denied).toMatchObject(judged('deny', 'high_risk'));
    expect(ofType(events, 'agent.tool_result')[0]).toMatchObject({ is_error: true });
    expect(textOf(ofType(events, 'agent.tool_result')[0]!)).toContain('denied');
    expect(resultsOf(events).at(-1)).toBe('still here');
    expect(stopReasonOf(events)).toBe('end_turn');
    await expect(talk.send(confirmation(denied!.id, 'allow'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('asks for no confirmation'),
    });
  });

  it.each([
    ['nobody can tell', '# judge indeterminate'],
    ['the judge cannot be asked', '# judge fail 500'],
    ['the judge answers nonsense', '# judge garbage'],
  ])('is asked of the client when %s', async (_, line) => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const events = await talk.turn(`${line}\n$ echo perhaps`);
    const [call] = ofType(events, 'agent.tool_use');
    expect(call).toMatchObject(judged('ask', 'indeterminate'));
    expect(waitingOf(events)).toEqual([call!.id]);
    await talk.send(confirmation(call!.id, 'allow'));
    expect(resultsOf(await tape.untilIdle(2))).toEqual(['perhaps']);
  });

  it('is judged by what users wrote, not by what a tool result says', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn("$ echo '# judge high_risk echo'\n$ echo second");
    expect(ofType(events, 'agent.tool_use')).toMatchObject([judged('allow'), judged('allow')]);
  });

  it('stands beside others of the same reply, each with its own verdict', async () => {
    const talk = await scene.newTalk();
    const verdicts = '# judge high_risk third\n# judge indeterminate second';
    const events = await talk.turn(`${verdicts}\n$& echo first\n$& echo second\n$& echo third`);
    expect(ofType(events, 'agent.tool_use')).toMatchObject([
      judged('allow'),
      judged('ask', 'indeterminate'),
      judged('deny', 'high_risk'),
    ]);
    expect(waitingOf(events)).toHaveLength(1);
    expect(resultsOf(events)).toHaveLength(2);
  });
});
