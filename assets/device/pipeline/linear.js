// The little linear algebra that pose and filters need; matrices are arrays of rows.

/** @typedef {number[][]} Matrix */

/** @param {Matrix} a @param {Matrix} b @returns {Matrix} */
export const multiply = (a, b) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));

/** A matrix times a vector. */
export const apply = (matrix, vector) =>
  matrix.map((row) => row.reduce((sum, value, k) => sum + value * vector[k], 0));

export const transpose = (matrix) => matrix[0].map((_, j) => matrix.map((row) => row[j]));

/**
 * Solves A x = b by Gaussian elimination with pivots; null where A is singular.
 * @param {Matrix} matrix square @param {number[]} right
 */
export const solve = (matrix, right) => {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    if (!(Math.abs(rows[k][k]) > 1e-300)) return null;
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j <= n; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  const x = new Array(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k][n];
    for (let j = k + 1; j < n; j++) sum -= rows[k][j] * x[j];
    x[k] = sum / rows[k][k];
  }
  return x;
};

/** The x that makes A x nearest to b (least squares, by normal equations); null where A has no
 * full rank. */
export const leastSquares = (matrix, right) => {
  const across = transpose(matrix);
  return solve(multiply(across, matrix), apply(across, right));
};

/** Both singular values of a matrix with two columns, the larger first. */
export const singularValues = (matrix) => {
  let [a, b, d] = [0, 0, 0]; // of its Gram matrix [[a, b], [b, d]]
  for (const [x, y] of matrix) {
    a += x * x;
    b += x * y;
    d += y * y;
  }
  const middle = (a + d) / 2;
  const reach = Math.hypot((a - d) / 2, b);
  return [Math.sqrt(middle + reach), Math.sqrt(Math.max(middle - reach, 0))];
};

export const cross = (a, b) =>
  [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** The rotation about a vector by its length in radians (Rodrigues' formula). @returns {Matrix} */
export const rotationAbout = (vector) => {
  const angle = Math.hypot(...vector);
  if (angle < 1e-12) return [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const [x, y, z] = vector.map((value) => value / angle);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const rest = 1 - cos;
  return [
    [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
    [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
    [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
  ];
};
