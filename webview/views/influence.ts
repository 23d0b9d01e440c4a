import { connect } from '../../src/protocol/connection';
import { toErrorData } from '../../src/protocol/errors';
import type {
  FailureAction,
  InfluenceChoice,
  InfluenceHostApi,
  InfluenceResult,
  InfluenceSnapshot,
  InfluenceViewApi,
} from '../../src/protocol/viewApi';
import { element, fill } from '../element';
import { failureStatus } from '../failure';
import { keepingFocus } from '../focus';
import { count } from '../numbers';
import type { HostLink } from '../port';
import { button, divider } from '../ui';
import { exampleName } from '../vocabulary';
import { classFilter, groupSentences } from './influence/classes';
import { emptyState } from './influence/empty';
import { exampleLists } from './influence/examples';
import { pickers } from './influence/pickers';
import { queryHeader } from './influence/query';
import { runningStatus, staleStatus } from './influence/status';

/** The Influence view: one snapshot of the host at a time, in two regions: what is going on above what is known. */
export function startInfluence(root: HTMLElement, link: HostLink): void {
  const { remote: host, serve } = connect<InfluenceHostApi, InfluenceViewApi>(link.port, { peer: 'VS Code' });
  const statusRegion = element('div', { class: 'status-region' });
  const resultRegion = element('div', { class: 'result-region' });
  const announcer = element('div', { class: 'spoken', role: 'status' });
  fill(root, element('h1', { class: 'spoken' }, 'Influence'), statusRegion, resultRegion, announcer);
  root.classList.add('influence');

  const ask = (call: Promise<void>) => {
    call.catch((error: unknown) =>
      fill(
        statusRegion,
        failureStatus(toErrorData(error), undefined, () => undefined),
      ),
    );
  };
  const act = (kind: FailureAction['kind']) => ask(host.act({ kind }));
  const choose = (choice: InfluenceChoice) => {
    chosen = true;
    ask(host.choose(choice));
  };
  const running = runningStatus(() => ask(host.cancel({})));
  let shownResult = '';
  /** A choice was made: its widgets show it before there is an answer to it. */
  let chosen = false;
  let soughtQuery = '';
  let hostSpoke = false;

  function showResult(result: InfluenceResult | undefined, running: boolean): void {
    const identity = result ? identityOf(result) : '';
    // Progress comes several times a second with the same previous result: leave what the user reads and holds alone.
    // Once it is over, the widgets must say again how what stands there was asked.
    if (identity === shownResult && (running || !chosen)) return;
    if (!running) chosen = false;
    shownResult = identity;
    fill(resultRegion, ...(result ? resultParts(result) : []));
  }

  function resultParts(result: InfluenceResult): readonly Node[] {
    const { influence } = result;
    const wasOpen = resultRegion.querySelector('details')?.open ?? false;
    const shown = Math.max(influence.towards.length, influence.away.length);
    const more = button('Show more', () => choose({ top: shown * 2 }), 'secondary');
    more.dataset.key = 'more';
    const foot = element(
      'footer',
      {},
      element('p', {}, `${count(influence.examples)} training examples scored in ${influence.seconds.toFixed(1)} s.`),
    );
    if (influence.towards.length + influence.away.length < influence.examples) foot.append(more);
    return [
      queryHeader(result, () => ask(host.open({ example: influence.query.id }))),
      pickers(result, choose),
      divider(),
      element(
        'section',
        { class: 'groups', 'aria-label': 'Groups' },
        ...groupSentences(result).map((sentence) => element('p', { class: 'group' }, sentence)),
        influence.byClass.length + result.labels.length > 0 &&
          classFilter(result, wasOpen, (labels) => choose({ labels })),
      ),
      exampleLists(result, (example) => ask(host.open({ example }))),
      foot,
    ];
  }

  /** What stands above the result. */
  function statusOf(snapshot: InfluenceSnapshot): Node | undefined {
    switch (snapshot.state) {
      case 'empty':
        return emptyState(snapshot.reason, () => act('set-up'));
      case 'running':
        running.update(snapshot.query, snapshot.progress);
        return running.node;
      case 'failed': {
        const { error, action } = snapshot;
        return failureStatus(error, action, () => action && act(action.kind));
      }
      case 'shown':
        return snapshot.stale ? staleStatus(() => act('retry')) : undefined;
    }
  }

  function show(snapshot: InfluenceSnapshot): void {
    keepingFocus(root, () => {
      root.dataset.state = snapshot.state;
      const status = statusOf(snapshot);
      if (!status?.isConnected) fill(statusRegion, status);
      showResult(resultOf(snapshot), snapshot.state === 'running');
    });
    if (isNews(snapshot)) window.scrollTo({ top: 0 });
    resultRegion.setAttribute('aria-busy', String(snapshot.state === 'running'));
    const text = announcement(snapshot);
    if (announcer.textContent !== text) announcer.textContent = text;
  }

  /** Whether what stands on top must be seen: a failure, or another query than before. More of the same leaves the reader in place. */
  function isNews(snapshot: InfluenceSnapshot): boolean {
    if (snapshot.state === 'failed') return true;
    const query = queryOf(snapshot);
    const other = query !== soughtQuery;
    soughtQuery = query;
    return other;
  }

  serve({
    show: async (snapshot) => {
      hostSpoke = true;
      show(snapshot);
    },
  });
  host.ready({}).then(
    // What the host said on its own since is newer than its answer.
    (snapshot) => hostSpoke || show(snapshot),
    (error: unknown) => hostSpoke || show({ state: 'failed', error: toErrorData(error) }),
  );
}

function resultOf(snapshot: InfluenceSnapshot): InfluenceResult | undefined {
  switch (snapshot.state) {
    case 'empty':
      return undefined;
    case 'shown':
      return snapshot.result;
    default:
      return snapshot.previous;
  }
}

function queryOf(snapshot: InfluenceSnapshot): string {
  const query = snapshot.state === 'running' ? snapshot.query : resultOf(snapshot)?.influence.query.id;
  return query ? exampleName(query) : '';
}

/** Equal for results that look the same. */
function identityOf({ influence, labels, runName, classes }: InfluenceResult): string {
  const { run, query, method, measurement, hash, towards, away, seconds } = influence;
  return JSON.stringify([
    [run, runName, classes, query.id, method, measurement, hash, labels, seconds],
    [...towards, ...away].map(({ example, score }) => [example.id.index, score]),
  ]);
}

function announcement(snapshot: InfluenceSnapshot): string {
  switch (snapshot.state) {
    case 'running':
      return `Attributing ${exampleName(snapshot.query)}`;
    case 'shown':
      return `Influences on ${exampleName(snapshot.result.influence.query.id)} shown`;
    default:
      return '';
  }
}
