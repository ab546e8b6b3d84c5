export { activationSoil, type ActivationSoilOptions } from './activation-soil.js';
export { allowedError, difference, expectEquivalent, randomBindings } from './equivalence.js';
export { type GoldenCase, goldenFiles, readGolden, updateGolden } from './golden.js';
export { readGraph } from './graph-text.js';
export { plant, type PlantedValue, randomAttr, type Soil } from './plant.js';
export { Random, randomTensor } from './random.js';
export { testPass, type TestPassOptions } from './test-pass.js';
export { weightSoil, type WeightSoilOptions } from './weight-soil.js';
