/** Splits by the words in names, in the order in which they are looked for. */
const splitWords: readonly (readonly [string, RegExp])[] = [
  ['train', /(^|[-_. ])(train|training)([-_. \d]|$)/i],
  ['test', /(^|[-_. ])(test|t10k|testing)([-_. \d]|$)/i],
  ['validation', /(^|[-_. ])(val|valid|validation|dev)([-_. \d]|$)/i],
];

/** The split that a file's or an array's name speaks of. */
export function splitOf(name: string): string | undefined {
  return splitWords.find(([, pattern]) => pattern.test(name))?.[0];
}

const featureWords = /^(x|features?|data|images?|inputs?|samples?|arr_0)$/i;
const labelWords = /^(y|labels?|targets?|class(es)?|arr_1)$/i;

/** Whether a name speaks of features or of labels, whatever the split: `X_train`, `test_labels`. */
export function roleOf(name: string): 'features' | 'labels' | undefined {
  const bare = name
    .replace(/(^|[-_. ])(train(ing)?|test(ing)?|t10k|val(id(ation)?)?|dev)(?=[-_. ]|$)/i, '')
    .replace(/^[-_. ]+|[-_. ]+$/g, '');
  if (featureWords.test(bare)) return 'features';
  return labelWords.test(bare) ? 'labels' : undefined;
}
