import type { RemoteApi } from '../protocol/connection';
import type { EngineApi } from '../protocol/engineApi';

/** Who answers the engine's calls; what the views and sessions see of the worker. Calls fail with a `WhenceError`. */
export type Engine = RemoteApi<EngineApi>;
