// The three matrix products of level-3 BLAS that DSYEVD spends its time in, for WebAssembly's 128-bit SIMD: double precision,
// column-major, by f2c's calling convention (every argument a pointer, lengths of option characters at the end).
//
// Operands are packed into slivers four wide, so that the kernel reads both as streams, and cut so that a block of the left
// one stays in the second-level cache and a sliver of the right one in the first. The kernel keeps a four by four tile of
// the result in registers: two vectors a column, eight in all, which with two of the left operand and one of the right leaves
// the sixteen registers of x86-64 unspilled.
#include <wasm_simd128.h>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <vector>

namespace {

constexpr int tile = 4;
constexpr int depth = 128;
constexpr int rows_at_once = 256;
constexpr int columns_at_once = 1024;

bool is(const char *option, char upper_case) { return (*option & ~32) == upper_case; }

int slivers(int n) { return (n + tile - 1) / tile; }

// A matrix or its transpose: element (i, j) lies at start[i * down + j * across].
struct View {
  const double *start;
  std::ptrdiff_t down, across;
  View from(int i, int j) const { return {start + i * down + j * across, down, across}; }
};

View view(const double *start, int leading, bool transposed) {
  return transposed ? View{start, leading, 1} : View{start, 1, leading};
}

// Slivers of four rows, each k columns deep with the four rows side by side; rows that are missing are zeros.
void pack(View matrix, int rows, int k, double scale, double *into) {
  for (int i = 0; i < rows; i += tile) {
    const int present = std::min(tile, rows - i);
    for (int p = 0; p < k; p++, into += tile) {
      const double *from = matrix.start + i * matrix.down + p * matrix.across;
      for (int r = 0; r < tile; r++) into[r] = r < present ? scale * from[r * matrix.down] : 0.0;
    }
  }
}

// The same where a row's elements are neighbours in memory: four streams are read at once, so that no cache line is left early.
void pack_along(View matrix, int rows, int k, double scale, double *into) {
  int i = 0;
  for (; i + tile <= rows; i += tile) {
    const double *a = matrix.start + i * matrix.down, *b = a + matrix.down, *c = b + matrix.down, *d = c + matrix.down;
    for (int p = 0; p < k; p++, into += tile) {
      into[0] = scale * a[p];
      into[1] = scale * b[p];
      into[2] = scale * c[p];
      into[3] = scale * d[p];
    }
  }
  if (i < rows) pack(matrix.from(i, 0), rows - i, k, scale, into);
}

void packed(View matrix, int rows, int k, double scale, double *into) {
  if (matrix.across == 1) pack_along(matrix, rows, k, scale, into);
  else pack(matrix, rows, k, scale, into);
}

// result (four by four, leading dimension `leading`) += left sliver times right sliver.
inline void multiply_tile(int k, const double *left, const double *right, double *result, std::ptrdiff_t leading) {
  v128_t c00 = wasm_f64x2_splat(0), c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
  for (int p = 0; p < k; p++, left += tile, right += tile) {
    const v128_t a0 = wasm_v128_load(left), a1 = wasm_v128_load(left + 2);
    v128_t b = wasm_v128_load64_splat(right);
    c00 = wasm_f64x2_add(c00, wasm_f64x2_mul(a0, b));
    c10 = wasm_f64x2_add(c10, wasm_f64x2_mul(a1, b));
    b = wasm_v128_load64_splat(right + 1);
    c01 = wasm_f64x2_add(c01, wasm_f64x2_mul(a0, b));
    c11 = wasm_f64x2_add(c11, wasm_f64x2_mul(a1, b));
    b = wasm_v128_load64_splat(right + 2);
    c02 = wasm_f64x2_add(c02, wasm_f64x2_mul(a0, b));
    c12 = wasm_f64x2_add(c12, wasm_f64x2_mul(a1, b));
    b = wasm_v128_load64_splat(right + 3);
    c03 = wasm_f64x2_add(c03, wasm_f64x2_mul(a0, b));
    c13 = wasm_f64x2_add(c13, wasm_f64x2_mul(a1, b));
  }
  const auto add = [](double *at, v128_t upper, v128_t lower) {
    wasm_v128_store(at, wasm_f64x2_add(wasm_v128_load(at), upper));
    wasm_v128_store(at + 2, wasm_f64x2_add(wasm_v128_load(at + 2), lower));
  };
  add(result, c00, c10);
  add(result + leading, c01, c11);
  add(result + 2 * leading, c02, c12);
  add(result + 3 * leading, c03, c13);
}

// A tile at the result's lower or right edge: only the part that exists is added.
void multiply_edge(int k, const double *left, const double *right, double *result, std::ptrdiff_t leading, int rows,
                   int columns) {
  double full[tile * tile] = {};
  multiply_tile(k, left, right, full, tile);
  for (int j = 0; j < columns; j++)
    for (int i = 0; i < rows; i++) result[i + j * leading] += full[i + j * tile];
}

// result [m, n] += scale * left [m, k] * right [k, n]
void add_product(int m, int n, int k, double scale, View left, View right, double *result, std::ptrdiff_t leading) {
  if (m <= 0 || n <= 0 || k <= 0 || scale == 0) return;
  const int widest = std::min(k, depth);
  std::vector<double> left_block(static_cast<std::size_t>(slivers(std::min(m, rows_at_once))) * tile * widest);
  std::vector<double> right_block(static_cast<std::size_t>(slivers(std::min(n, columns_at_once))) * tile * widest);
  for (int j = 0; j < n; j += columns_at_once) {
    const int columns = std::min(columns_at_once, n - j);
    for (int p = 0; p < k; p += depth) {
      const int deep = std::min(depth, k - p);
      const View block = right.from(p, j);
      packed({block.start, block.across, block.down}, columns, deep, scale, right_block.data());
      for (int i = 0; i < m; i += rows_at_once) {
        const int rows = std::min(rows_at_once, m - i);
        packed(left.from(i, p), rows, deep, 1.0, left_block.data());
        for (int jj = 0; jj < columns; jj += tile) {
          const double *right_sliver = right_block.data() + static_cast<std::ptrdiff_t>(jj) * deep;
          for (int ii = 0; ii < rows; ii += tile) {
            const double *left_sliver = left_block.data() + static_cast<std::ptrdiff_t>(ii) * deep;
            double *at = result + (i + ii) + (j + jj) * leading;
            const int tall = std::min(tile, rows - ii), wide = std::min(tile, columns - jj);
            if (tall == tile && wide == tile) multiply_tile(deep, left_sliver, right_sliver, at, leading);
            else multiply_edge(deep, left_sliver, right_sliver, at, leading, tall, wide);
          }
        }
      }
    }
  }
}

// Zero overwrites, so that NaNs of a result that nobody has filled do not survive.
void scale_columns(double *c, int rows, int columns, std::ptrdiff_t leading, double by) {
  if (by == 1) return;
  for (int j = 0; j < columns; j++)
    for (int i = 0; i < rows; i++) c[i + j * leading] = by == 0 ? 0.0 : by * c[i + j * leading];
}

}  // namespace

extern "C" {

// C := alpha op(A) op(B) + beta C, where op(A) is m by k and op(B) k by n.
int dgemm_(char *op_a, char *op_b, int *m, int *n, int *k, double *alpha, double *a, int *lda, double *b, int *ldb,
           double *beta, double *c, int *ldc, int, int) {
  if (*m <= 0 || *n <= 0) return 0;
  scale_columns(c, *m, *n, *ldc, *beta);
  add_product(*m, *n, *k, *alpha, view(a, *lda, !is(op_a, 'N')), view(b, *ldb, !is(op_b, 'N')), c, *ldc);
  return 0;
}

// C := alpha (A B' + B A') + beta C on one triangle of C; A and B are n by k. (The tridiagonalisation never asks for the form
// with transposed operands.) Strips of columns: the square on the diagonal apart, since only half of it may be written.
int dsyr2k_(char *triangle, char *op, int *n, int *k, double *alpha, double *a, int *lda, double *b, int *ldb, double *beta,
            double *c, int *ldc, int, int) {
  if (!is(op, 'N')) std::abort();
  constexpr int strip = 64;
  const bool lower = is(triangle, 'L');
  const View left = view(a, *lda, false), right = view(b, *ldb, false);
  const View left_across = view(a, *lda, true), right_across = view(b, *ldb, true);
  const std::ptrdiff_t leading = *ldc;
  std::vector<double> square(strip * strip);
  for (int j = 0; j < *n; j += strip) {
    const int width = std::min(strip, *n - j);
    std::fill(square.begin(), square.end(), 0.0);
    add_product(width, width, *k, *alpha, left.from(j, 0), right_across.from(0, j), square.data(), strip);
    add_product(width, width, *k, *alpha, right.from(j, 0), left_across.from(0, j), square.data(), strip);
    for (int q = 0; q < width; q++) {
      for (int p = lower ? q : 0; p < (lower ? width : q + 1); p++) {
        double &at = c[(j + p) + (j + q) * leading];
        at = square[p + q * strip] + (*beta == 0 ? 0.0 : *beta * at);
      }
    }
    const int from = lower ? j + width : 0, rows = lower ? *n - from : j;
    double *rest = c + from + j * leading;
    scale_columns(rest, rows, width, leading, *beta);
    add_product(rows, width, *k, *alpha, left.from(from, 0), right_across.from(0, j), rest, leading);
    add_product(rows, width, *k, *alpha, right.from(from, 0), left_across.from(0, j), rest, leading);
  }
  return 0;
}

// B := alpha op(A) B (side L) or alpha B op(A) (side R) for a triangular A. LAPACK's A is a block as small as its block size:
// filled up with zeros and multiplied in full it costs little.
int dtrmm_(char *side, char *triangle, char *op, char *diagonal, int *m, int *n, double *alpha, double *a, int *lda,
           double *b, int *ldb, int, int, int, int) {
  if (*m <= 0 || *n <= 0) return 0;
  const bool from_left = is(side, 'L'), upper = is(triangle, 'U'), unit = is(diagonal, 'U');
  const int size = from_left ? *m : *n;
  std::vector<double> full(static_cast<std::size_t>(size) * size, 0.0);
  for (int j = 0; j < size; j++) {
    for (int i = upper ? 0 : j; i < (upper ? j + 1 : size); i++) full[i + j * size] = a[i + j * std::ptrdiff_t(*lda)];
    if (unit) full[j + j * size] = 1;
  }
  std::vector<double> before(static_cast<std::size_t>(*m) * *n);
  for (int j = 0; j < *n; j++) {
    double *column = b + j * std::ptrdiff_t(*ldb);
    std::copy(column, column + *m, before.begin() + std::ptrdiff_t(j) * *m);
    std::fill(column, column + *m, 0.0);
  }
  const View triangular = view(full.data(), size, !is(op, 'N')), old = view(before.data(), *m, false);
  if (from_left) add_product(*m, *n, size, *alpha, triangular, old, b, *ldb);
  else add_product(*m, *n, size, *alpha, old, triangular, b, *ldb);
  return 0;
}

}  // extern "C"
