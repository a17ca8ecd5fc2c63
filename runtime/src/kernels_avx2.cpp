#if defined(__x86_64__)
#define KERNELS_NAME kernels_avx2
#define KERNELS_LABEL "AVX2"
#define VECTOR_FLOATS 8
#define PANEL_VECTORS 2
#define STEP_ROWS 6
#include "kernels_impl.h"
#endif
