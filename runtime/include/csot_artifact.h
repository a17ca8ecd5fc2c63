/* libCsotArtifact: classifies inspection images with an exported model.
 *
 * A package is a folder (an unpacked export) with models.xbin, libCsotArtifact.so and config.yaml.
 *
 *     csot_artifact *artifact;
 *     if (csot_open("package", NULL, &artifact) != CSOT_OK) { fputs(csot_last_error(), stderr); return 1; }
 *     csot_image image = {pixels, width, height, 0, CSOT_RGB};
 *     csot_prediction prediction;
 *     csot_status status = csot_predict(artifact, &image, 1, &prediction, NULL);
 *     ...
 *     csot_close(artifact);
 *
 * Every function that can fail returns a csot_status and leaves a sentence for people in csot_last_error().
 * Every function may be called from any thread, and several threads may use one artifact at the same time; only
 * csot_close must be its last call. The library needs libc, libm and libpthread. It starts threads only if
 * `threads` is more than 1, writes no file, prints nothing, and installs no signal handler. A program that forks
 * must open its artifacts after the fork.
 *
 * Within one CSOT_ABI_VERSION the interface only grows, and nothing changes its meaning. Structures that may grow
 * begin with `struct_size`, which the caller sets to sizeof.
 */
#ifndef CSOT_ARTIFACT_H
#define CSOT_ARTIFACT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CSOT_ABI_VERSION 1

#if defined(CSOT_BUILDING) && defined(__GNUC__)
#define CSOT_API __attribute__((visibility("default")))
#else
#define CSOT_API
#endif

typedef int32_t csot_status;
enum {
    CSOT_OK = 0,
    CSOT_INVALID_ARGUMENT = 1, /* a null pointer, a zero batch, an image without pixels: a mistake of the caller */
    CSOT_NOT_FOUND = 2,        /* the folder or one of its files does not exist or cannot be read */
    CSOT_CORRUPT = 3,          /* a file is truncated, changed, or another file */
    CSOT_NEWER_FORMAT = 4,     /* written for a newer library */
    CSOT_BAD_CONFIG = 5,       /* config.yaml has an entry that cannot be used */
    CSOT_MISMATCH = 6,         /* config.yaml and models.xbin belong to different packages */
    CSOT_OUT_OF_MEMORY = 7,    /* there is no more, or the package takes more than max_memory_mib */
    CSOT_NONCONFORMING = 8,    /* the image's resolution is not one that the model was trained on */
    CSOT_INTERNAL = 9,         /* a defect of this library */
    CSOT_UNTRUSTED = 10        /* not signed by a key that is trusted, or changed since */
};

typedef int32_t csot_format;
enum {
    CSOT_GREY = 1, /* one byte a pixel */
    CSOT_RGB = 2,  /* three bytes a pixel, red first */
    CSOT_BGR = 3   /* three bytes a pixel, blue first */
};

/* Which part of the model decided on a code. */
typedef int32_t csot_way;
enum {
    CSOT_BY_SOFTMAX = 0,          /* the classifier's most probable class */
    CSOT_BY_FEATURE_DISTANCE = 1, /* the features are nearest to those of a special code */
    CSOT_BY_REGION = 2            /* a region of a code is larger than the code's minimum area */
};

/* Whether an image's resolution conforms, and if not, why. */
typedef int32_t csot_resolution;
enum {
    CSOT_RESOLUTION_CONFORMS = 0,
    CSOT_RESOLUTION_TOO_LOW = 1,
    CSOT_ASPECT_RATIO = 2,
    CSOT_RESOLUTION_OFF_NOMINAL = 3
};

typedef struct csot_artifact csot_artifact;

typedef struct csot_options {
    uint32_t struct_size;
    uint32_t threads;        /* that compute one call, including the caller's; 0 means 1; at most 256 */
    uint32_t concurrent;     /* calls that compute at the same time; further calls wait; 0 means 64. Buffers and
                                threads - 1 threads of each are kept until the artifact is closed. */
    uint32_t max_memory_mib; /* csot_open refuses a package that takes more memory, with CSOT_OUT_OF_MEMORY, before it
                                allocates any of that: weights, and the buffers of one call on one image. 0 means
                                2048. */
} csot_options;

typedef struct csot_description {
    uint32_t struct_size;
    uint32_t abi_version;    /* of the library */
    uint32_t format_version; /* of models.xbin */
    uint32_t codes;          /* number of codes; their indices are those of csot_code */
    uint32_t classes;        /* the first of the codes are the classifier's, the others special */
    uint32_t input_width;    /* in pixels, of an image or window as the classifier takes it */
    uint32_t input_height;
    uint32_t detail;     /* images are resized to `detail` times that and classified by windows; 1: as a whole */
    uint32_t mask_width; /* 0 where the model has no segmentation network */
    uint32_t mask_height;
    float confidence_threshold; /* below it a person should look at the image; from config.yaml */
    uint32_t filters_resolution;
    const char* model; /* UTF-8; all texts are valid until the artifact is closed */
    const char* version;
    const char* kernels;     /* the instruction set in use */
    const char* signing_key; /* of csot_open_signed: the fingerprint of the key that signed; "" of csot_open */
    uint32_t config_changed; /* of csot_open_signed: 1 if an operator changed config.yaml since it was exported */
} csot_description;

typedef struct csot_image {
    const uint8_t* pixels; /* interleaved, the top row first */
    uint32_t width;
    uint32_t height;
    size_t stride; /* bytes from one row to the next; 0: rows without padding */
    csot_format format;
} csot_image;

typedef struct csot_prediction {
    csot_status status;         /* CSOT_OK, or CSOT_NONCONFORMING: then only `resolution` is set */
    csot_resolution resolution; /* always set, also if config.yaml turns the filter off */
    int32_t code;               /* index of the code, -1 without one */
    float confidence;           /* the score of that code */
    csot_way way;
    int32_t to_human; /* 1 if the confidence is below the threshold */
} csot_prediction;

/* Optional outputs of csot_predict. A null pointer: not wanted. */
typedef struct csot_buffers {
    uint32_t struct_size;
    float* scores;      /* image by image, one for every code; they add up to 1 */
    size_t scores_size; /* floats: at least images × codes */
    uint8_t* masks;     /* image by image, mask_height rows of mask_width: 0 is background, i + 1 code i */
    size_t masks_size;  /* bytes: at least images × mask_height × mask_width */
} csot_buffers;

/* The CSOT_ABI_VERSION that the library was built with. If it differs from the program's, do not go on. */
CSOT_API uint32_t csot_abi_version(void);

/* "CSOT_CORRUPT" for CSOT_CORRUPT; never null. */
CSOT_API const char* csot_status_name(csot_status status);

/* The sentence of the last call in this thread that failed; "" if none did. Valid until the thread's next failure. */
CSOT_API const char* csot_last_error(void);

/* Reads and verifies a package. `options` may be null. On failure *artifact is null. */
CSOT_API csot_status csot_open(const char* folder, const csot_options* options, csot_artifact** artifact);

/* As csot_open, of a package that one of the public keys in a PEM file signed; any other is refused with
 * CSOT_UNTRUSTED. All three files of the package must be there as they were signed, but for what an operator may change
 * in config.yaml. The library in the folder is read and not run: the check is worth as much as the library that makes
 * it, so use one that you trust already. */
CSOT_API csot_status csot_open_signed(const char* folder, const char* keys_file, const csot_options* options,
                                      csot_artifact** artifact);

/* Null is allowed. No other call may be using the artifact. */
CSOT_API void csot_close(csot_artifact* artifact);

CSOT_API csot_status csot_describe(const csot_artifact* artifact, csot_description* description);

/* The text of a code; *special is 1 if the code is not one of the classifier's classes. Either may be null. */
CSOT_API csot_status csot_code(const csot_artifact* artifact, uint32_t index, const char** code, int32_t* special);

/* CSOT_OK, or CSOT_NONCONFORMING with a sentence; does not depend on whether the filter is on. */
CSOT_API csot_status csot_check_image(const csot_artifact* artifact, uint32_t width, uint32_t height);

/* Predicts `count` images into `predictions`, an array of that size. `buffers` may be null. The result of an image
 * does not depend on the other images of the batch. After a failure the output is undefined. */
CSOT_API csot_status csot_predict(csot_artifact* artifact, const csot_image* images, uint32_t count,
                                  csot_prediction* predictions, const csot_buffers* buffers);

#ifdef __cplusplus
}
#endif

#endif
