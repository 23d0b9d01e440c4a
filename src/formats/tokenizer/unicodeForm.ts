import { type AlignedText, TextEdit } from './alignedText';

type Form = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** A character with all that can be composed with it or be put in another order: marks, and the later parts of Hangul. */
const clusters = /[\s\S][\p{M}\u1160-\u11ff\uff9e\uff9f]*/gu;

/** A character of a decomposition; `isAdded` for all but the first of those that one character becomes. */
interface Component {
  readonly character: string;
  readonly isAdded: boolean;
}

/** One of Unicode's normal forms, with the spans that the tokenizers library gives its characters. */
export function unicodeForm(form: Form): (text: AlignedText) => AlignedText {
  const decomposed = form === 'NFC' ? 'NFD' : form === 'NFKC' ? 'NFKD' : form;
  return (text) => {
    if (text.text.normalize(form) === text.text) return text;
    const edit = new TextEdit(text);
    for (const { 0: cluster, index } of text.text.matchAll(clusters)) {
      const normal = cluster.normalize(form);
      if (normal === cluster) continue;
      const spans = characterSpans(cluster, index);
      const components = decomposition(cluster, decomposed);
      edit.replace(index, index + cluster.length, '', index, index + 1);
      // How many of the cluster's characters the result has come past.
      let passed = 0;
      for (const result of normal) {
        const [first, ...composed] = [...result.normalize(decomposed)].map((part) => take(components, part));
        if (!first?.isAdded) passed++;
        const [from, to] = spans[Math.min(Math.max(passed, 1), spans.length) - 1]!;
        edit.put(result, from, to);
        passed += composed.filter((part) => part && !part.isAdded).length;
      }
    }
    return edit.finish();
  };
}

/** Takes the first component that is this character out of those that are left. */
function take(components: Component[], character: string): Component | undefined {
  const at = components.findIndex((one) => one.character === character);
  return at < 0 ? undefined : components.splice(at, 1)[0];
}

function characterSpans(cluster: string, index: number): [number, number][] {
  const spans: [number, number][] = [];
  let from = index;
  for (const character of cluster) {
    spans.push([from, from + character.length]);
    from += character.length;
  }
  return spans;
}

function decomposition(cluster: string, form: Form): Component[] {
  return [...cluster].flatMap((character) =>
    [...character.normalize(form)].map((part, index) => ({ character: part, isAdded: index > 0 })),
  );
}
