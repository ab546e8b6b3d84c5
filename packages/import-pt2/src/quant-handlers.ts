export const quantHandlers = {};
