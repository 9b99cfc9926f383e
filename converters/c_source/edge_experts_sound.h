/* Spectra of sound, with the same numbers as those of the runtime in Python, and detections in a
 * stream as `edge-experts run --listen` makes them.
 *
 *     static edge_experts_listener listener;
 *     static float x[EDGE_EXPERTS_INPUTS];
 *     edge_experts_listen(&listener);
 *     for (each sample)
 *         if (edge_experts_hear(&listener, sample, x) && edge_experts_ask(x, run, context, &answer) == 0) {
 *             label = edge_experts_detect(&listener, answer.scores, &score);
 *             if (label >= 0) puts(edge_experts_labels[label]);
 *         }
 *
 * Samples are whole numbers of 16 bits, EDGE_EXPERTS_RATE of them a second. The functions share
 * static memory: call them from one thread. One sample in EDGE_EXPERTS_FRAME_HOP takes the time of a
 * spectrum, so let a buffer collect those that come meanwhile.
 */
#ifndef EDGE_EXPERTS_SOUND_H
#define EDGE_EXPERTS_SOUND_H

#include "edge_experts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Samples between two answers, a multiple of EDGE_EXPERTS_FRAME_HOP, so that windows share their
 * spectra; `--hop` of `run --listen` is this in seconds. */
#ifndef EDGE_EXPERTS_HOP
#define EDGE_EXPERTS_HOP EDGE_EXPERTS_USUAL_HOP
#endif
#if EDGE_EXPERTS_HOP % EDGE_EXPERTS_FRAME_HOP || EDGE_EXPERTS_HOP < EDGE_EXPERTS_FRAME_HOP || \
    EDGE_EXPERTS_HOP > EDGE_EXPERTS_SAMPLES
#error "EDGE_EXPERTS_HOP must be a multiple of EDGE_EXPERTS_FRAME_HOP, at most EDGE_EXPERTS_SAMPLES"
#endif

/* Least mean score of a detection. */
#ifndef EDGE_EXPERTS_THRESHOLD
#define EDGE_EXPERTS_THRESHOLD 0.7f
#endif

#define EDGE_EXPERTS_SMOOTHED 3 /* windows whose scores are averaged */

/* A stream of sound. Its members are for edge_experts_sound.c. */
typedef struct {
    int16_t samples[EDGE_EXPERTS_FRAME];                     /* a ring */
    int16_t spectra[EDGE_EXPERTS_FRAMES][EDGE_EXPERTS_BANDS]; /* a ring */
    float latest[EDGE_EXPERTS_SMOOTHED][EDGE_EXPERTS_LABELS]; /* a ring */
    int32_t sample, spectrum, until_spectrum, until_window;
    int32_t score, scores, paused;
} edge_experts_listener;

/* Begins a stream, which silence precedes. */
void edge_experts_listen(edge_experts_listener *listener);

/* Takes the next sample. 1: a window is complete, and x has it, encoded. */
int edge_experts_hear(edge_experts_listener *listener, int16_t sample, float *x);

/* Takes the scores of the latest window; returns the label that is detected now, or -1. The best
 * label is detected if its mean score reaches EDGE_EXPERTS_THRESHOLD and its name does not begin with
 * "_"; then no other one is for the length of a window. */
int edge_experts_detect(edge_experts_listener *listener, const float *scores, float *score);

/* The part of a recording that `edge-experts run` uses, EDGE_EXPERTS_SAMPLES samples: the loudest, or
 * all of a shorter one in the middle of silence. */
void edge_experts_sound_window(const int16_t *samples, size_t count, int16_t *window);

/* Encodes one window, EDGE_EXPERTS_SAMPLES samples. */
void edge_experts_sound_encode(const int16_t *window, float *x);

/* The tables of the transform: see edge_experts_sound.c. */
extern const int32_t edge_experts_quarters[EDGE_EXPERTS_QUARTERS];
extern const int16_t edge_experts_band_starts[EDGE_EXPERTS_BANDS];
extern const int16_t edge_experts_band_ends[EDGE_EXPERTS_BANDS];
extern const double edge_experts_band_weights[EDGE_EXPERTS_WEIGHTS];

#ifdef __cplusplus
}
#endif

#endif
