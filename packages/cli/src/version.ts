const self = { name: '@qfuse/cli', version: '0.1.0' };

/** Version of the command. */
export const { version } = self;
