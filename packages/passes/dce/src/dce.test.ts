import { testPass } from '@qfuse/testing';
import dce from './index.js';

testPass(import.meta.url, dce());
