// What a U-Net is made of: convolution, group norm, attention. The U-Net of chapter 7 itself is in unet.mjs.
//
// Pictures lie channels last: the value of channel c at row y, column x of picture b is at ((b H + y) W + x) C + c.
// "Padded" means a border of one zero pixel around each picture, which is there before and stays as it is.
// Weights of a convolution lie as [out / 8][k k][in][8], so that eight outputs are made side by side.
//
// Built by build.py into kernels.wasm; there is no library beneath it, so the exponential is here, too.

typedef float f4 __attribute__((vector_size(16), aligned(4)));  // four numbers, worked on at once
typedef int i4 __attribute__((vector_size(16), aligned(4)));
#define EXPORT(name) __attribute__((export_name(#name))) name
#define LOAD(p) (*(const f4 *)(p))
#define STORE(p, v) (*(f4 *)(p) = (v))

static inline f4 all(float x) { return (f4){x, x, x, x}; }

// e^x, to one part in ten million: x = k ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, and k into the exponent.
static inline f4 exponential(f4 x) {
  x = __builtin_wasm_max_f32x4(__builtin_wasm_min_f32x4(x, all(88)), all(-87));
  f4 shifted = x * 1.44269504f + 12582912.0f, k = shifted - 12582912.0f;  // adding 1.5 * 2^23 rounds to a whole number
  f4 r = x - k * 0.693359375f + k * 2.12194440e-4f;
  f4 p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  i4 power = (__builtin_convertvector(k, i4) + 127) << 23;
  return p * (f4)power;
}

static inline f4 silu_of(f4 x) { return x / (1.0f + exponential(-x)); }

// P pixels of a row, eight channels of the result: the innermost loop, in which nearly all of the time is spent.
static inline __attribute__((always_inline)) void pixels(
    const int P, int in, int out, int k, int row, int step, const float *x, const float *weight, const float *bias,
    const float *plus, float *y) {
  f4 left[4], right[4];
  for (int p = 0; p < P; p++) left[p] = LOAD(bias), right[p] = LOAD(bias + 4);
  for (int ky = 0; ky < k; ky++)
    for (int kx = 0; kx < k; kx++, weight += 8 * in) {
      const float *from = x + ky * row + kx * in;
      for (int c = 0; c < in; c++) {
        f4 w_left = LOAD(weight + 8 * c), w_right = LOAD(weight + 8 * c + 4);
        for (int p = 0; p < P; p++) {
          f4 value = all(from[p * step + c]);
          left[p] += value * w_left, right[p] += value * w_right;
        }
      }
    }
  for (int p = 0; p < P; p++) {
    if (plus) left[p] += LOAD(plus + p * out), right[p] += LOAD(plus + p * out + 4);
    STORE(y + p * out, left[p]), STORE(y + p * out + 4, right[p]);
  }
}

// y = conv(x) + bias (+ plus), k x k; n pictures of h x w come out. For k = 3, x is padded and stride may be 2.
void EXPORT(conv)(int n, int h, int w, int in, int out, int k, int stride, const float *x, const float *weight,
                  const float *bias, const float *plus, float *y) {
  int border = k - 1, row = (w * stride + border) * in, picture = (h * stride + border) * row, step = stride * in;
  for (int o = 0; o < out; o += 8)
    for (int b = 0; b < n; b++)
      for (int i = 0; i < h; i++) {
        const float *from = x + b * picture + i * stride * row, *kernel = weight + o * k * k * in;
        int at = ((b * h + i) * w) * out + o, j = 0;
        for (; j + 4 <= w; j += 4, from += 4 * step, at += 4 * out)
          pixels(4, in, out, k, row, step, from, kernel, bias + o, plus ? plus + at : 0, y + at);
        for (; j < w; j++, from += step, at += out)
          pixels(1, in, out, k, row, step, from, kernel, bias + o, plus ? plus + at : 0, y + at);
      }
}

#define WIDEST 1024  // channels of a norm at most
static float total[WIDEST], scale[WIDEST], shift[WIDEST];

// total[c] = sum over the pixels of (x[c] - minus[c])^power, power 1 or 2.
static inline __attribute__((always_inline)) void add_up(int pixels, int c, const float *x, const float *minus, int power) {
  for (int i = 0; i < c; i += 4) STORE(total + i, all(0));
  for (int p = 0; p < pixels; p++, x += c)
    for (int i = 0; i < c; i += 4) {
      f4 v = LOAD(x + i) - LOAD(minus + i);
      STORE(total + i, LOAD(total + i) + (power == 2 ? v * v : v));
    }
}

// Group norm in eight groups with its gamma and beta, then h (1 + scale) + shift as time and class tell it, if they do;
// the answer goes into a picture with a border of `border` pixels, through a SiLU if `silu`.
static inline __attribute__((always_inline)) void norm(
    int n, int h, int w, int c, const float *x, const float *gamma, const float *beta, const float *told, int border,
    int silu, float *y) {
  int group = c / 8, row = (w + 2 * border) * c, picture = (h + 2 * border) * row;
  for (int b = 0; b < n; b++, x += h * w * c, y += picture, told += told ? 2 * c : 0) {
    float count = h * w * group;
    for (int i = 0; i < c; i += 4) STORE(shift + i, all(0));
    add_up(h * w, c, x, shift, 1);
    for (int g = 0; g < c; g += group) {  // shift holds the mean of each channel's group for a while
      float mean = 0;
      for (int i = g; i < g + group; i++) mean += total[i] / count;
      for (int i = g; i < g + group; i++) shift[i] = mean;
    }
    add_up(h * w, c, x, shift, 2);
    for (int g = 0; g < c; g += group) {
      float variance = 0;
      for (int i = g; i < g + group; i++) variance += total[i] / count;
      for (int i = g; i < g + group; i++) {
        scale[i] = gamma[i] / __builtin_sqrtf(variance + 1e-5f);
        shift[i] = beta[i] - shift[i] * scale[i];
        if (told) scale[i] *= 1 + told[i], shift[i] = shift[i] * (1 + told[i]) + told[c + i];
      }
    }
    for (int i = 0; i < h; i++)
      for (int j = 0; j < w; j++)
        for (int k = 0; k < c; k += 4) {
          f4 v = LOAD(x + (i * w + j) * c + k) * LOAD(scale + k) + LOAD(shift + k);
          STORE(y + (i + border) * row + (j + border) * c + k, silu ? silu_of(v) : v);
        }
  }
}

// What a convolution is given: norm, scale and shift, SiLU, with a border.
void EXPORT(norm_silu)(int n, int h, int w, int c, const float *x, const float *gamma, const float *beta,
                       const float *told, float *y) {
  norm(n, h, w, c, x, gamma, beta, told, 1, 1, y);
}

// What attention is given: the norm alone.
void EXPORT(norm_only)(int n, int h, int w, int c, const float *x, const float *gamma, const float *beta, float *y) {
  norm(n, h, w, c, x, gamma, beta, 0, 0, 0, y);
}

// Each number through a SiLU; count is a multiple of four.
void EXPORT(silu)(int count, const float *x, float *y) {
  for (int i = 0; i < count; i += 4) STORE(y + i, silu_of(LOAD(x + i)));
}

// Each pixel becomes size x size pixels, and the whole gets a border: size 1 is the border alone, 2 doubles the sides.
void EXPORT(enlarge)(int n, int h, int w, int c, int size, const float *x, float *y) {
  int row = (w * size + 2) * c;
  for (int b = 0; b < n; b++, x += h * w * c, y += (h * size + 2) * row)
    for (int i = 0; i < h * size; i++)
      for (int j = 0; j < w * size; j++)
        for (int k = 0; k < c; k++) y[(i + 1) * row + (j + 1) * c + k] = x[(i / size * w + j / size) * c + k];
}

// The channels of x, c of them, become channels `first` and on of y, which has `wide`.
void EXPORT(place)(int pixels, int c, const float *x, int first, int wide, float *y) {
  for (int p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) y[p * wide + first + i] = x[p * c + i];
}

#define MOST 4096  // places that are attended to at most
static float weights[MOST];

// y += a x, for d numbers.
static inline void add(int d, float a, const float *x, float *y) {
  int m = 0;
  for (; m + 4 <= d; m += 4) STORE(y + m, LOAD(y + m) + a * LOAD(x + m));
  for (; m < d; m++) y[m] += a * x[m];
}

// The sum of x y over d numbers.
static inline float dot(int d, const float *x, const float *y) {
  f4 sum = all(0);
  int m = 0;
  for (; m + 4 <= d; m += 4) sum += LOAD(x + m) * LOAD(y + m);
  float rest = 0;
  for (; m < d; m++) rest += x[m] * y[m];
  return sum[0] + sum[1] + sum[2] + sum[3] + rest;
}

// softmax(q k^T / sqrt(d)) v for each head of d channels: every pixel asks every place. A pixel's query is at the start of
// `asks` numbers; a place has `says` numbers, its key and c further on its value. From one picture to the next the places
// are `further` numbers on: 0 if all pictures hear the same.
void EXPORT(attention)(int n, int pixels, int places, int c, int heads, const float *q, int asks, const float *kv, int says,
                       int further, float *y) {
  int d = c / heads;
  float by = 1 / __builtin_sqrtf(d);
  for (int b = 0; b < n; b++, q += pixels * asks, kv += further, y += pixels * c)
    for (int head = 0; head < heads; head++)
      for (int i = 0; i < pixels; i++) {
        const float *query = q + i * asks + head * d, *k = kv + head * d, *v = k + c;
        float largest = -1e30f, all_together = 0, *to = y + i * c + head * d;
        for (int j = 0; j < places; j++) {
          weights[j] = dot(d, query, k + j * says) * by;
          largest = weights[j] > largest ? weights[j] : largest;
        }
        for (int j = 0; j < places; j++) {
          weights[j] = exponential(all(weights[j] - largest))[0];
          all_together += weights[j];
        }
        for (int m = 0; m < d; m++) to[m] = 0;
        for (int j = 0; j < places; j++) add(d, weights[j] / all_together, v + j * says, to);
      }
}
