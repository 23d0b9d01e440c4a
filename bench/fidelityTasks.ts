/** A run that is trained, retrained and scored for docs/fidelity.md. */
export interface FidelityTask {
  /** Its folder's name, and its key in the results. */
  readonly name: string;
  /** What the tables call it. */
  readonly title: string;
  /** The file in bench/fidelity that trains it. */
  readonly task: string;
  /** What `make` is told beside, such as `--floor 1`. */
  readonly make?: readonly string[];
  /** Which of the folders given on the command line the examples are from. */
  readonly source: 'fashion-mnist' | 'texts' | 'none';
  readonly subsets: number;
  readonly repeats: number;
  readonly measurement: 'margin' | 'loss';
  /** Another task's folder, whose training and retrainings this one shares. */
  readonly shares?: string;
  /** Keys of its `whence.json` that are other than what `make` wrote. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Methods beside those of every task. */
  readonly methods?: readonly string[];
  /** Whether PyTorch's loops score it too: how far its scores agree with ours. */
  readonly reference?: boolean;
  /** The linear datamodeling scores that a paper has for it, by method. */
  readonly published?: Readonly<Record<string, string>>;
}

/** Every row of the tables. A new one needs nothing else. */
export const fidelityTasks: readonly FidelityTask[] = [
  {
    name: 'mlp',
    title: "MLP, the paper's settings",
    task: 'mlp',
    source: 'fashion-mnist',
    subsets: 100,
    repeats: 6,
    methods: ['trak'],
    measurement: 'margin',
    published: { SOURCE: '.46', 'influence functions': '.30' },
  },
  {
    name: 'noisy',
    title: 'MLP, noisy and unfinished',
    task: 'noisy',
    source: 'fashion-mnist',
    subsets: 100,
    repeats: 6,
    methods: ['trak'],
    measurement: 'margin',
  },
  {
    name: 'cnn-constant',
    title: 'CNN, constant rate',
    task: 'cnn',
    make: ['--floor', '1'],
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 4,
    methods: ['trak'],
    measurement: 'margin',
    reference: true,
  },
  {
    name: 'cnn',
    title: 'CNN, falling rate',
    task: 'cnn',
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 4,
    methods: ['trak'],
    measurement: 'margin',
    reference: true,
  },
  {
    name: 'regression',
    title: 'regression',
    task: 'regression',
    source: 'none',
    subsets: 100,
    repeats: 10,
    methods: ['trak'],
    measurement: 'loss',
    reference: true,
  },
  {
    name: 'gpt-constant',
    title: 'GPT, constant rate',
    task: 'gpt',
    make: ['--floor', '1', '--epochs', '8'],
    source: 'texts',
    subsets: 60,
    repeats: 2,
    methods: ['trak'],
    measurement: 'loss',
    reference: true,
  },
  {
    name: 'gpt',
    title: 'GPT, falling rate',
    task: 'gpt',
    source: 'texts',
    subsets: 60,
    repeats: 2,
    methods: ['trak'],
    measurement: 'loss',
    reference: true,
  },
  {
    name: 'gpt-adamw',
    title: 'GPT, AdamW',
    task: 'gptadamw',
    source: 'texts',
    subsets: 60,
    repeats: 2,
    methods: ['trak'],
    measurement: 'loss',
  },
  {
    name: 'adamw',
    title: 'MLP, AdamW',
    task: 'adamw',
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 4,
    measurement: 'margin',
    methods: ['trak', 'source-elementwise'],
  },
  {
    name: 'adamw-state',
    title: 'MLP, AdamW, with state',
    task: 'adamw',
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 4,
    measurement: 'margin',
    methods: ['trak', 'source-elementwise'],
    shares: 'adamw',
    config: { checkpoints: 'states/step-*.pt' },
  },
  {
    name: 'adamw-as-sgd',
    title: "MLP, AdamW, in SGD's form",
    task: 'adamw',
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 4,
    methods: ['trak'],
    measurement: 'margin',
    shares: 'adamw',
    config: { optimizer: { kind: 'sgd', weightDecay: 0.01 } },
  },
  {
    name: 'stages',
    title: 'two stages',
    task: 'stages',
    source: 'fashion-mnist',
    subsets: 60,
    repeats: 3,
    measurement: 'margin',
  },
];

/** Methods of every task (TRAK knows no stages), and how many segments SOURCE is cut into. */
export const everyMethod = ['source', 'influence-functions', 'tracin', 'gradient-dot'];
export const segmentCounts = [1, 2, 3, 6];
