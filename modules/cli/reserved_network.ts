/**
 * An environment whose network gives out listeners that were bound before: a daemon tells its port
 * in the request for its certificate, and can serve only when it has one.
 */

import {
  type Address,
  type Environment,
  formatEndpoint,
  type PipeListener,
} from "../../core/mod.ts";

export function reserving(env: Environment, listeners: readonly PipeListener[]): Environment {
  const reserved = new Map(listeners.map((one) => [formatEndpoint(one.address), one]));
  const { network } = env;
  return {
    ...env,
    network: {
      dial: (address, options) => network.dial(address, options),
      addresses: () => network.addresses(),
      multicast: (group) => network.multicast(group),
      listen(address: Address): Promise<PipeListener> {
        const key = formatEndpoint(address);
        const listener = reserved.get(key);
        if (listener === undefined) return network.listen(address);
        reserved.delete(key);
        return Promise.resolve(listener);
      },
    },
  };
}
