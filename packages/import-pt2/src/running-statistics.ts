import { floatScalar, type Value } from '@qfuse/plugin';
import { unsupported } from './errors.js';
import type { Call, Lowering } from './lowering.js';
import type { Target } from './targets.js';

/** Operators that update running statistics in place, which their schemas do not say, and the argument that makes them do so. */
const updaters: Readonly<Record<string, { readonly flag: string; readonly perInstance: boolean }>> = {
  batch_norm: { flag: 'training', perInstance: false },
  native_batch_norm: { flag: 'training', perInstance: false },
  _native_batch_norm_legit: { flag: 'training', perInstance: false },
  instance_norm: { flag: 'use_input_stats', perInstance: true },
};

/**
 * Writes what a normalization in training mode does to its running statistics:
 * `running = (1 - momentum) · running + momentum · statistic`, the statistic being mean or unbiased variance over
 * all axes but 1 (batch), or over the spatial axes and then the mean over the batch (instance).
 */
export function updateStatistics(call: Call, target: Target, lowering: Lowering): void {
  const kind = target.namespace === 'aten' && Object.hasOwn(updaters, target.name) ? updaters[target.name] : undefined;
  const flag = kind === undefined ? undefined : call.args.get(kind.flag);
  if (kind === undefined || flag?.kind !== 'bool' || !flag.value) return;
  const momentum = call.args.get('momentum');
  const { value: input } = lowering.tensorArgument(call, call.args.has('input') ? 'input' : 'self');
  const axes = input.type.shape.map((_, i) => i).filter((i) => (kind.perInstance ? i > 1 : i !== 1));
  const { who } = call;
  const overBatch = (statistic: Value): Value =>
    kind.perInstance ? lowering.create('aten.mean.dim', { self: statistic }, { dim: [0] }, who).result : statistic;
  const update = (name: string, statistic: () => Value): void => {
    if (call.args.get(name)?.kind !== 'tensor') return;
    if (momentum?.kind !== 'float')
      throw unsupported(
        'training',
        `${who} averages its running statistics over all runs`,
        'give the layer a momentum, or call model.eval() before torch.export.export',
      );
    const { handle, value: running } = lowering.tensorArgument(call, name);
    const scaled = (self: Value, other: number): Value =>
      lowering.create('aten.mul.Scalar', { self }, { other: floatScalar(other) }, who).result;
    const fresh = lowering.cast(overBatch(statistic()), running.type.dtype, who);
    const sum = lowering.create(
      'aten.add.Tensor',
      { self: scaled(running, 1 - momentum.value), other: scaled(fresh, momentum.value) },
      {},
      who,
    ).result;
    lowering.memory.write(handle.ref, sum, who);
  };
  update('running_mean', () => lowering.create('aten.mean.dim', { self: input }, { dim: axes }, who).result);
  update(
    'running_var',
    () => lowering.create('aten.var.correction', { self: input }, { dim: axes, correction: { kind: 'int', value: 1 } }, who).result,
  );
}
