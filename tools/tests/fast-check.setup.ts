// Property tests draw the same cases in every run: a red run means a change, never chance. `QFUSE_SEED=n` draws others.
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.QFUSE_SEED ?? 20_261_124) });
