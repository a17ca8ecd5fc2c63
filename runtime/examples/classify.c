/* Classifies images with an exported package. Builds with one command, beside runtime/ and the unpacked package:
 *
 *     cc -o classify runtime/examples/classify.c -Iruntime/include package/libCsotArtifact.so \
 *         -Wl,-rpath,'$ORIGIN/package'
 *     ./classify package image.ppm …
 *
 * Reads binary PPM and PGM (P6, P5), which need no image library; an inspection machine has its pixels in memory.
 * Prints for each image: name, code, confidence, which part of the model decided, number of defect pixels in the mask.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csot_artifact.h"

/* Reads the pixels of an 8-bit binary PPM or PGM, and exits if the file is none. The caller frees them. */
static uint8_t *read_pixels(const char *path, csot_image *image) {
    FILE *file = fopen(path, "rb");
    char kind;
    unsigned width, height, most;
    if (!file || fscanf(file, "P%c %u %u %u", &kind, &width, &height, &most) != 4 || most != 255 ||
        (kind != '5' && kind != '6') || width > 30000 || height > 30000) {
        fprintf(stderr, "%s is not a binary PPM or PGM of 8 bits\n", path);
        exit(1);
    }
    fgetc(file);
    size_t bytes = (size_t)width * height * (kind == '6' ? 3 : 1);
    uint8_t *pixels = malloc(bytes + 1);
    if (!pixels || fread(pixels, 1, bytes, file) != bytes) {
        fprintf(stderr, "%s is cut short\n", path);
        exit(1);
    }
    fclose(file);
    *image = (csot_image){pixels, width, height, 0, kind == '6' ? CSOT_RGB : CSOT_GREY};
    return pixels;
}

int main(int count, char **arguments) {
    static const char *const ways[] = {"softmax", "feature distance", "region"};
    csot_artifact *artifact;
    if (count < 3) {
        fprintf(stderr, "usage: %s PACKAGE IMAGE…\n", arguments[0]);
        return 2;
    }
    csot_options options = {.struct_size = sizeof options, .threads = 1};
    if (csot_open(arguments[1], &options, &artifact) != CSOT_OK) {
        fprintf(stderr, "%s\n", csot_last_error());
        return 1;
    }
    csot_description description = {.struct_size = sizeof description};
    csot_describe(artifact, &description);
    size_t mask_size = (size_t)description.mask_width * description.mask_height;
    uint8_t *mask = mask_size ? malloc(mask_size) : NULL;
    csot_buffers buffers = {.struct_size = sizeof buffers, .masks = mask, .masks_size = mask_size};
    int failed = 0;
    for (int i = 2; i < count; ++i) {
        csot_image image;
        csot_prediction prediction;
        uint8_t *pixels = read_pixels(arguments[i], &image);
        if (csot_predict(artifact, &image, 1, &prediction, &buffers) != CSOT_OK) {
            fprintf(stderr, "%s: %s\n", arguments[i], csot_last_error());
            failed = 1;
        } else if (prediction.status != CSOT_OK) {
            csot_check_image(artifact, image.width, image.height);
            printf("%s - %s\n", arguments[i], csot_last_error());
        } else {
            const char *code;
            size_t defect = 0;
            csot_code(artifact, (uint32_t)prediction.code, &code, NULL);
            for (size_t at = 0; at < mask_size; ++at) defect += mask[at] != 0;
            printf("%s %s %.6f %s %zu\n", arguments[i], code, prediction.confidence, ways[prediction.way], defect);
        }
        free(pixels);
    }
    free(mask);
    csot_close(artifact);
    return failed;
}
