import { spawnSync } from 'node:child_process';

/** A Python that imports all of `packages`: PYTHON, else python3. */
export function findPython(packages: readonly string[]): string | undefined {
  const candidates = [process.env.PYTHON, 'python3', 'python'].filter((name): name is string => Boolean(name));
  return candidates.find(
    (name) => spawnSync(name, ['-c', `import ${packages.join(', ')}`], { stdio: 'ignore' }).status === 0,
  );
}
