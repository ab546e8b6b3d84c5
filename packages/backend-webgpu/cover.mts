import { allOps } from '@qfuse/ops';
import { webgpuKernels } from '@qfuse/backend-webgpu';
const have = new Set(webgpuKernels.map(k => k.op.name));
const no = allOps.filter(o => !have.has(o.name) && o.decompose === undefined && !o.view).map(o => o.name);
console.log(allOps.length, 'ops', have.size, 'with kernels;', no.length, 'neither:\n' + no.join(' '));
