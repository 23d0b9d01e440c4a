import { describe, expect, test } from 'vitest';
import type { SavedCheckpoint } from '../../../../src/engine/run/checkpointFiles';
import type { TrainingLog } from '../../../../src/engine/run/trainingLog';
import { planOptimizer } from '../../../../src/engine/workspace/planOptimizer';
import type { ScriptOptimizer } from '../../../../src/engine/workspace/scriptOptimizer';
import type { TrainingState } from '../../../../src/formats/trainingState';
import { parseOptimizer, type StatedOptimizer } from '../../../../src/protocol/optimizerText';
import { nodeFiles } from '../../../../src/worker/nodeFiles';

interface Told {
  readonly state?: TrainingState;
  readonly counts?: SavedCheckpoint['counts'];
  readonly log?: TrainingLog;
  readonly script?: ScriptOptimizer;
  readonly answer?: StatedOptimizer;
}

function plan({ state = {}, counts = 'updates', log, script, answer }: Told) {
  const checkpoints = [1, 2].map((step) => ({ file: `/run/${step}.pt`, step, counts, state }));
  const named = script && { name: 'train.py', optimizer: script };
  return planOptimizer({ folder: '/run', checkpoints }, 100, log, named, answer, nodeFiles());
}

const log: TrainingLog = { file: '/run/log.csv', steps: [{ step: 1, learningRate: 0.1 }] };
const adamw: TrainingState = {
  optimizer: { kind: 'adamw', groups: [{ learningRate: 0.003, weightDecay: 0.1 }], secondMoments: new Map() },
};

describe('planOptimizer', () => {
  test('asks for all that nothing tells, in one question with a guess that can be read', () => {
    const { question, config, words, comment } = plan({});
    expect(question).toEqual({
      prompt: 'No file tells which optimizer it was and the learning rate. How was this run trained?',
      guess: 'SGD(lr=0.01, momentum=0, weight_decay=0)',
    });
    expect(parseOptimizer(question!.guess)).toEqual(config);
    expect(words).toBe('');
    expect(comment).toContain('Guessed');
  });

  test('writes what was answered, and asks no more', () => {
    const answer = { kind: 'adamw', learningRate: 0.002, weightDecay: 0.1, batchSize: 16 } as const;
    const { question, config, comment } = plan({ answer });
    expect(question).toBeUndefined();
    expect(config).toEqual(answer);
    expect(comment).toBe('As you said.');
  });

  test('asks nothing where a log and a script tell all', () => {
    const { question, config, comment } = plan({ log, script: { kind: 'sgd', momentum: 0.9, learningRate: 0.5 } });
    expect(question).toBeUndefined();
    expect(config).toEqual({ kind: 'sgd', momentum: 0.9 });
    expect(comment).toBe('Read in log.csv and train.py: SGD, momentum 0.9.');
  });

  test('trusts the checkpoints more than the script, and leaves out what they tell', () => {
    const { question, config, words } = plan({
      state: { ...adamw, batchSize: 8 },
      script: { kind: 'sgd', momentum: 0.9 },
    });
    expect(question).toBeUndefined();
    expect(config).toEqual({ kind: 'adamw' });
    expect(words).toBe('AdamW, weight decay 0.1, batch size 8');
  });

  test("asks for the batch size alone where Adam's second moments hang on it", () => {
    expect(plan({ state: adamw }).question).toEqual({
      prompt: 'No file tells the batch size. How was this run trained?',
      guess: 'AdamW(batch_size=32)',
    });
    const { config, question } = plan({ state: adamw, script: { batchSize: 64 } });
    expect(question).toBeUndefined();
    expect(config).toEqual({ kind: 'adamw', batchSize: 64 });
  });

  test('asks for the batch size where checkpoints count epochs, and counts updates by it', () => {
    const told = { counts: 'epochs', log, script: { kind: 'sgd' } } as const;
    expect(plan(told).question?.prompt).toContain('the batch size');
    const { checkpoints, config } = plan({ ...told, answer: { kind: 'sgd', batchSize: 25 } });
    expect(checkpoints.map(({ step }) => step)).toEqual([4, 8]);
    expect(config).toEqual({ kind: 'sgd', batchSize: 25 });
  });

  test('asks for the learning rate alone, filled in with what the kind is mostly used with', () => {
    const { question } = plan({ script: { kind: 'adam', batchSize: 4 } });
    expect(question).toEqual({
      prompt: 'No file tells the learning rate. How was this run trained?',
      guess: 'Adam(lr=0.001, batch_size=4)',
    });
  });
});
