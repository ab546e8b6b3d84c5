import { testPass } from '@qfuse/testing';
import cse from './index.js';

testPass(import.meta.url, cse());
