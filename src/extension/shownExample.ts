import type { Example, ExampleId } from '../protocol/model';
import type { InfluenceSnapshot } from '../protocol/viewApi';

/** The example of that id in what a snapshot shows, the query included; its location comes with it. */
export function findExample({ split, index }: ExampleId, snapshot: InfluenceSnapshot): Example | undefined {
  const result = snapshot.state === 'shown' ? snapshot.result : 'previous' in snapshot ? snapshot.previous : undefined;
  if (!result) return undefined;
  const { query, towards, away } = result.influence;
  const shown = [query, ...towards.map(({ example }) => example), ...away.map(({ example }) => example)];
  return shown.find(({ id }) => id.split === split && id.index === index);
}
