// The pipeline's constants, as `python -m facial_keypoints.constants` writes them: Python's own.

/**
 * Groups of constants by module; names are Python's in lower case. See facial_keypoints/constants.py.
 * Filled before anything else of the pipeline is used.
 * @type {Record<string, any>}
 */
export const constants = {};

/** Takes what constants.json holds. @param {Record<string, any>} values */
export const useConstants = (values) => Object.assign(constants, values);
