import { describe, expect, it } from 'vitest';
import { turns } from '../../../src/engine/turns';

function gate() {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

const quiet = () => new AbortController().signal;

describe('turns', () => {
  it('runs works in the order of their calls, past failed ones', async () => {
    const take = turns();
    const order: number[] = [];
    const first = gate();
    const one = take(quiet(), async () => {
      await first.passed;
      order.push(1);
      throw new Error('no');
    });
    const two = take(quiet(), async () => order.push(2));
    first.open();
    await expect(one).rejects.toThrow('no');
    await two;
    expect(order).toEqual([1, 2]);
  });

  it('refuses a cancelled work while another has the turn, and never begins it', async () => {
    const take = turns();
    const busy = gate();
    const running = take(quiet(), () => busy.passed);
    const cancelling = new AbortController();
    let begun = false;
    const waiting = take(cancelling.signal, async () => {
      begun = true;
    });
    cancelling.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    busy.open();
    await running;
    await take(quiet(), async () => undefined);
    expect(begun).toBe(false);
  });

  it('leaves a work that has begun to its own ears', async () => {
    const take = turns();
    const busy = gate();
    const cancelling = new AbortController();
    const running = take(cancelling.signal, async () => {
      await busy.passed;
      return 'done';
    });
    await Promise.resolve();
    cancelling.abort();
    busy.open();
    expect(await running).toBe('done');
  });
});
