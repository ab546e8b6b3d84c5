export { default } from '../../../tools/tsup.base';
