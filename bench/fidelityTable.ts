import type { Interval } from '../src/attribution/evaluate/bootstrap';
import {
  type DatamodelingScore,
  datamodelingScore,
  difference,
  type Outcomes,
  summarize,
} from '../src/attribution/evaluate/datamodeling';
import { type ComparedRun, compare, comparedRows } from './fidelityAgreement';

/**
 * Prints, for every method: how our scores agree with the reference's (least correlation over queries; largest difference
 * over the largest score), the linear datamodeling score of both, and by how much each SOURCE is above the others.
 */
export async function printFidelity(run: Omit<ComparedRun, 'queries'>, outcomes: Outcomes): Promise<void> {
  const columns = [
    'scores'.padEnd(24),
    'least r'.padStart(12),
    'largest error'.padStart(15),
    'LDS'.padStart(25),
    'PyTorch'.padStart(9),
  ];
  console.log(columns.join(''));
  const byRow = new Map<string, DatamodelingScore>();
  for (const row of comparedRows) {
    const { ours, theirs, leastCorrelation, largestError } = await compare({ ...run, queries: outcomes.queries }, row);
    const score = datamodelingScore(outcomes, ours);
    byRow.set(row.name, score);
    const cells = [
      row.name.padEnd(24),
      leastCorrelation.toFixed(8).padStart(12),
      largestError.toExponential(1).padStart(15),
      intervalText(summarize(score).overQueries).padStart(25),
      summarize(datamodelingScore(outcomes, theirs, 1))
        .overQueries.mean.toFixed(4)
        .padStart(9),
    ];
    console.log(cells.join(''));
  }
  for (const { name } of comparedRows.filter(({ method }) => method === 'source')) {
    for (const other of comparedRows.filter(({ method }) => method !== 'source')) {
      const ahead = summarize(difference(byRow.get(name)!, byRow.get(other.name)!)).overQueries;
      console.log(`${name} less ${other.name}: ${intervalText(ahead)}`);
    }
  }
}

function intervalText({ mean, low, high }: Interval): string {
  return `${mean.toFixed(4)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
