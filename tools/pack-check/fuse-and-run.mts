// What a user writes who wants one pass only: read a model, fuse it, run it.
import { readFileSync } from 'node:fs';
import { compileProgram } from '@qfuse/backend-webgpu';
import { compareTensors, compileGraph, createCompilerRegistry, histogram, loadModel, readTensors } from '@qfuse/compiler';
import { fileSource, requestDevice } from '@qfuse/compiler/node';
import fuseLinearQcsnw from '@qfuse/pass-fuse-linear-qcsnw';

const [modelPath, dataPath] = process.argv.slice(2) as [string, string];
const registry = createCompilerRegistry([fuseLinearQcsnw()]);
const { graph } = await loadModel(fileSource(modelPath), registry, modelPath);
await compileGraph(graph, registry);
if (histogram(graph)['quant.dequantize'] !== undefined) throw new Error('a dequantize is left');

const { device, adapter, destroy } = await requestDevice({ adapter: 'software' });
const program = await compileProgram(graph, { device });
const data = readTensors(readFileSync(dataPath), dataPath);
const { outputs } = await program.run([data.get('in.0')!]);
const { maxAbsError, withinTolerance } = compareTensors(outputs[0]!, data.get('out.0')!, { atol: 1e-3, rtol: 1e-4 });
if (!withinTolerance) throw new Error(`the numbers are wrong by ${maxAbsError}`);
console.log(`right on ${adapter.name}, largest error ${maxAbsError.toExponential(1)}`);
program.dispose();
destroy();
