import { testPass } from '@qfuse/testing';
import canonicalize from './index.js';

testPass(import.meta.url, canonicalize());
