import { QfuseError } from '@qfuse/plugin';
import type { ObserverFactory } from '../observer.js';
import type { EpsOptions } from './min-max.js';
import { checkEps, checkObserver } from './refuse.js';
import { StateReader } from './state.js';

/**
 * Looks at nothing and has no parameters: for tensors whose scales are chosen at run time, from each tensor anew
 * (`quant.choose_qparams`). torch: `PlaceholderObserver` with `is_dynamic`.
 * @throws QfuseError `quantizer/observer` when eps is not positive
 */
export function placeholderObserver({ eps }: EpsOptions = {}): ObserverFactory {
  const name = 'placeholder';
  checkEps(name, eps);
  return {
    name,
    eps,
    create: (grid) => {
      checkObserver(name, grid, 'tensor', 'axis', 'group', 'row');
      return {
        observe: () => undefined,
        qparams: () => {
          throw new QfuseError('quantizer/placeholder', 'a placeholder observer has no scales: they are chosen at run time');
        },
        save: () => ({ observer: name }),
        merge: (other) => void new StateReader(name, other),
      };
    },
  };
}
