export type { Grid, Mapping, Observer, ObserverFactory, ObserverState, QParams, SpecGranularity } from './observer.js';
