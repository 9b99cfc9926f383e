/* The same steps as features/log_mel.py, sound.py and runtime/detection.py: see edge_experts_sound.h.
 *
 * The transform is a product with a matrix of whole numbers, rint(2^26 window cos), whose sums 64
 * bits hold exactly. Of its (FRAME / 2) x (FRAME / 2 + 1) numbers and those of the sine only a quarter
 * circle is stored for each sample, in edge_experts_quarters. Samples are grouped by the largest
 * power of 2 that divides their place (at most that of FRAME / 4): for places of `part` times an odd
 * number the circle has FRAME / part steps only, and bins k and half a circle - k differ by signs,
 * so they share their products.
 *
 * What follows are single operations on doubles. `times` keeps a compiler from fusing a product with
 * a sum, which would round once instead of twice.
 */
#include "edge_experts_sound.h"

#include <math.h>
#include <string.h>

#define FRAME EDGE_EXPERTS_FRAME
#define HALF (FRAME / 2)
#define BANDS EDGE_EXPERTS_BANDS
#define FINE 1.4901161193847656e-08 /* 2^-26 */
#define GRID 256

typedef struct {
    int64_t real, imaginary;
} sums;

static struct folded {
    int32_t sum, difference; /* of the samples n and FRAME - n */
} folded[HALF + 1];
static sums coarse[HALF / 2 + 1]; /* of samples at even places, by bin */
static double power[HALF + 1];

static double times(double one, double other) {
    volatile double product = one * other;

    return product;
}

/* Natural logarithm of a number from 1 on, to 1e-15. */
static double logarithm(double value) {
    static const double series[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                    1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    int exponent, place = 10;
    double mantissa = frexp(value, &exponent), ratio, square, found;

    if (mantissa < 0.7071067811865476) {
        mantissa *= 2;
        exponent--;
    }
    ratio = (mantissa - 1) / (mantissa + 1);
    square = times(ratio, ratio);
    found = series[place];
    while (place > 0) found = times(found, square) + series[--place];
    return times(2 * ratio, found) + times(exponent, 0.6931471805599453);
}

/* Sums the products of the samples at places part, part + step, ... with one bin; returns the row of
 * the sample after them. */
static const int32_t *sum_part(int32_t bin, int32_t part, int32_t step, const int32_t *row,
                               sums *found) {
    const int32_t circle = FRAME / part, half = circle / 2, quarter = circle / 4;
    const int32_t turns = bin * (step / part) % circle, numbers = quarter + 1;
    const struct folded *const end = folded + HALF, *sample;
    int32_t turn = bin % circle;
    int64_t real = 0, imaginary = 0;

    for (sample = folded + part; sample <= end; sample += step) {
        int32_t even = sample->sum, odd = sample->difference, at = turn;

        if (at > half) {
            at = circle - at;
            odd = -odd;
        }
        if (at > quarter) {
            at = half - at;
            even = -even;
        }
        real += (int64_t)even * row[at];
        imaginary += (int64_t)odd * row[quarter - at];
        row += numbers;
        turn += turns;
        if (turn >= circle) turn -= circle;
    }
    found->real = real;
    found->imaginary = imaginary;
    return row;
}

static double squared(int64_t real, int64_t imaginary) {
    const double cosine = (double)real * FINE, sine = (double)imaginary * FINE;

    return times(cosine, cosine) + times(sine, sine);
}

static void transform(void) {
    const int32_t *row = edge_experts_quarters, *next = row;
    int32_t bin, part = EDGE_EXPERTS_LAST_PART;
    sums even, odd; /* multiples of part */

    for (bin = 0; bin <= HALF / part; bin++) next = sum_part(bin, part, part, row, &coarse[bin]);
    for (part /= 2; part > 1; part /= 2) {
        row = next;
        for (bin = 0; bin <= HALF / 2 / part; bin++) {
            sums *const mirrored = &coarse[HALF / part - bin];

            next = sum_part(bin, part, 2 * part, row, &odd);
            even = coarse[bin];
            mirrored->real = even.real - odd.real;
            mirrored->imaginary = odd.imaginary - even.imaginary;
            coarse[bin].real = even.real + odd.real;
            coarse[bin].imaginary = even.imaginary + odd.imaginary;
        }
    }
    row = next;
    for (bin = 0; bin <= HALF / 2; bin++) {
        sum_part(bin, 1, 2, row, &odd);
        even = coarse[bin];
        power[bin] = squared(even.real + odd.real, even.imaginary + odd.imaginary);
        power[HALF - bin] = squared(even.real - odd.real, even.imaginary - odd.imaginary);
    }
}

/* The spectrum of FRAME samples of a ring. */
static void find_spectrum(const int16_t *samples, int32_t first, int16_t *found) {
    const double *weight = edge_experts_band_weights;
    int place, band, bin;

    for (place = 1; place <= HALF; place++) {
        const int32_t one = samples[(first + place) % FRAME];
        const int32_t other = samples[(first + FRAME - place) % FRAME];

        folded[place].sum = one + other;
        folded[place].difference = one - other;
    }
    folded[HALF].sum /= 2; /* in the middle both are the same sample */
    transform();
    for (band = 0; band < BANDS; band++) {
        double total = 0;

        for (bin = edge_experts_band_starts[band]; bin < edge_experts_band_ends[band]; bin++)
            total += times(power[bin], *weight++);
        found[band] = (int16_t)rint(logarithm(total + 1) * GRID);
    }
}

/* One spectrum of a window, standardized. */
static void scale(const int16_t *spectrum, float *x) {
    int band;

    for (band = 0; band < BANDS; band++) x[band] = (float)spectrum[band] / GRID;
}

void edge_experts_sound_encode(const int16_t *window, float *x) {
    int16_t spectrum[BANDS];
    int frame;

    for (frame = 0; frame < EDGE_EXPERTS_FRAMES; frame++) {
        find_spectrum(window + (size_t)frame * EDGE_EXPERTS_FRAME_HOP, 0, spectrum);
        scale(spectrum, x + frame * BANDS);
    }
    edge_experts_encode(x, x);
}

void edge_experts_sound_window(const int16_t *samples, size_t count, int16_t *window) {
    const size_t length = EDGE_EXPERTS_SAMPLES, hop = EDGE_EXPERTS_FRAME_HOP;
    size_t place, start = 0, loudest = 0;
    int64_t energy = 0, most;

    if (count <= length) {
        memset(window, 0, length * sizeof *window);
        memcpy(window + (length - count) / 2, samples, count * sizeof *window);
        return;
    }
    for (place = 0; place < length; place++) energy += (int32_t)samples[place] * samples[place];
    most = energy;
    while (start + hop + length <= count) {
        for (place = start; place < start + hop; place++) {
            energy -= (int32_t)samples[place] * samples[place];
            energy += (int32_t)samples[place + length] * samples[place + length];
        }
        start += hop;
        if (energy > most) {
            most = energy;
            loudest = start;
        }
    }
    memcpy(window, samples + loudest, length * sizeof *window);
}

void edge_experts_listen(edge_experts_listener *listener) {
    memset(listener, 0, sizeof *listener); /* the spectrum of silence is 0 */
    listener->until_spectrum =
        EDGE_EXPERTS_FRAME_HOP - (EDGE_EXPERTS_SAMPLES - FRAME) % EDGE_EXPERTS_FRAME_HOP;
    listener->until_window = EDGE_EXPERTS_HOP;
}

int edge_experts_hear(edge_experts_listener *listener, int16_t sample, float *x) {
    int frame;

    listener->samples[listener->sample] = sample;
    listener->sample = (listener->sample + 1) % FRAME;
    if (--listener->until_spectrum == 0) {
        find_spectrum(listener->samples, listener->sample, listener->spectra[listener->spectrum]);
        listener->spectrum = (listener->spectrum + 1) % EDGE_EXPERTS_FRAMES;
        listener->until_spectrum = EDGE_EXPERTS_FRAME_HOP;
    }
    if (--listener->until_window > 0) return 0;
    listener->until_window = EDGE_EXPERTS_HOP;
    for (frame = 0; frame < EDGE_EXPERTS_FRAMES; frame++)
        scale(listener->spectra[(listener->spectrum + frame) % EDGE_EXPERTS_FRAMES], x + frame * BANDS);
    edge_experts_encode(x, x);
    return 1;
}

int edge_experts_detect(edge_experts_listener *listener, const float *scores, float *score) {
    const int32_t smoothed = EDGE_EXPERTS_SMOOTHED;
    float mean[EDGE_EXPERTS_LABELS];
    int32_t one;
    int label;

    memcpy(listener->latest[listener->score], scores, sizeof mean);
    listener->score = (listener->score + 1) % smoothed;
    if (listener->scores < smoothed) listener->scores++;
    if (listener->paused > 0) {
        listener->paused--;
        return -1;
    }
    for (label = 0; label < EDGE_EXPERTS_LABELS; label++) {
        mean[label] = 0;
        for (one = listener->scores; one > 0; one--) /* the oldest first */
            mean[label] += listener->latest[(listener->score + smoothed - one) % smoothed][label];
        mean[label] /= smoothed; /* before the stream there was nothing */
    }
    label = edge_experts_pick(mean, EDGE_EXPERTS_LABELS);
    if (edge_experts_labels[label][0] == '_' || mean[label] < EDGE_EXPERTS_THRESHOLD) return -1;
    listener->paused = (EDGE_EXPERTS_SAMPLES + EDGE_EXPERTS_HOP - 1) / EDGE_EXPERTS_HOP;
    *score = mean[label];
    return label;
}
